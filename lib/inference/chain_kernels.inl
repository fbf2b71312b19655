// Compiled once per instruction set by chain_kernels_*.cc, which define THALWEG_ISA_SPACE and include nothing
// else but chain_kernels.h and <cmath>'s C functions.
//
// Shapes: K labels; rows padded to S scalars. N lanes a vector, W vectors a row where that is known (1 to 4),
// 0 where it is not; then a row is worked through in tiles of four vectors. A step costs K * S multiply-adds
// (sums) or add-and-minimum (minima), all loads aligned on the row and none of them twice.

namespace thalweg::detail {
namespace THALWEG_ISA_SPACE {
namespace {

#include "core/vec.inl"

using std::ptrdiff_t;

// --- rows
// -----------------------------------------------------------------------------------------------------------

// A row of K scalars from an unpadded table into a padded one. `left` scalars of the table start at `in`:
// while they cover the padded row, it is loaded whole and masked.
template <class R, int N>
[[gnu::always_inline]] inline void pad_row(const R* in, ptrdiff_t K, ptrdiff_t S, ptrdiff_t left, R fill,
                                           R* out) {
  using X = Vec<R, N>;
  if (left >= S) {
    for (ptrdiff_t j = 0; j + N < S; j += N) X::store(out + j, X::load(in + j));
    X::store(out + S - N, X::keep(X::load(in + S - N), K - (S - N), fill));
    return;
  }
  for (ptrdiff_t j = 0; j < K; ++j) out[j] = in[j];
  for (ptrdiff_t j = K; j < S; ++j) out[j] = fill;
}

// out[j] = weight * a[j] * b[j] for j < K, nothing written beyond: the last vector overlaps the one before.
template <class R, int N>
[[gnu::always_inline]] inline void product_row(const R* a, const R* b, R weight, ptrdiff_t K, R* out) {
  using X = Vec<R, N>;
  if (K < N) {
    for (ptrdiff_t j = 0; j < K; ++j) out[j] = weight * a[j] * b[j];
    return;
  }
  ptrdiff_t j = 0;
  for (; j + N <= K; j += N) X::store(out + j, weight * X::load(a + j) * X::load(b + j));
  if (j < K) X::store(out + K - N, weight * X::load(a + K - N) * X::load(b + K - N));
}

template <class R, int N>
[[gnu::always_inline]] inline R row_min(const R* row, ptrdiff_t S) {
  auto low = Vec<R, N>::load(row);
  for (ptrdiff_t j = N; j < S; j += N) low = Vec<R, N>::min(low, Vec<R, N>::load(row + j));
  return Vec<R, N>::lowest(low);
}

template <class R, int N>
[[gnu::always_inline]] inline R row_dot(const R* a, const R* b, ptrdiff_t S) {
  auto sum = Vec<R, N>::load(a) * Vec<R, N>::load(b);
  for (ptrdiff_t j = N; j < S; j += N) sum += Vec<R, N>::load(a + j) * Vec<R, N>::load(b + j);
  return Vec<R, N>::sum(sum);
}

template <class R, int N>
[[gnu::always_inline]] inline R row_sum(const R* a, ptrdiff_t S) {
  auto sum = Vec<R, N>::load(a);
  for (ptrdiff_t j = N; j < S; j += N) sum += Vec<R, N>::load(a + j);
  return Vec<R, N>::sum(sum);
}

template <class R, int N>
[[gnu::always_inline]] inline void scale_row(R* row, R by, ptrdiff_t S) {
  for (ptrdiff_t j = 0; j < S; j += N) Vec<R, N>::store(row + j, Vec<R, N>::load(row + j) * by);
}

// --- one step of the recursions: vector times matrix in a semiring
// ---------------------------------------------------

struct SumProduct {
  template <class R, int N, class V>
  [[gnu::always_inline]] static V start() {
    return V{};
  }
  template <class R, int N, class V>
  [[gnu::always_inline]] static V add(V acc, R a, V m) {
    return acc + a * m;
  }
  template <class R, int N, class V>
  [[gnu::always_inline]] static V join(V a, V b) {
    return a + b;
  }
};

struct MinSum {
  template <class R, int N, class V>
  [[gnu::always_inline]] static V start() {
    return Vec<R, N>::all(static_cast<R>(__builtin_inf()));
  }
  template <class R, int N, class V>
  [[gnu::always_inline]] static V add(V acc, R a, V m) {
    return Vec<R, N>::min(acc, a + m);
  }
  template <class R, int N, class V>
  [[gnu::always_inline]] static V join(V a, V b) {
    return Vec<R, N>::min(a, b);
  }
};

// out[0 .. W N) = (+) over i of a[i] (x) m[i * S ...]. Independent accumulators hide the latency of the
// additions.
template <class Semiring, class R, int N, int W>
[[gnu::always_inline]] inline void tile(const R* a, const R* m, ptrdiff_t K, ptrdiff_t S, R* out) {
  using X = Vec<R, N>;
  using V = typename X::V;
  constexpr int U = W >= 4 ? 2 : 4;
  V acc[U][W];
  for (int u = 0; u < U; ++u) {
    for (int w = 0; w < W; ++w) acc[u][w] = Semiring::template start<R, N, V>();
  }
  ptrdiff_t i = 0;
  for (; i + U <= K; i += U) {
    for (int u = 0; u < U; ++u) {
      for (int w = 0; w < W; ++w) {
        acc[u][w] = Semiring::template add<R, N, V>(acc[u][w], a[i + u], X::load(m + (i + u) * S + w * N));
      }
    }
  }
  for (; i < K; ++i) {
    for (int w = 0; w < W; ++w) {
      acc[0][w] = Semiring::template add<R, N, V>(acc[0][w], a[i], X::load(m + i * S + w * N));
    }
  }
  for (int w = 0; w < W; ++w) {
    V total = acc[0][w];
    for (int u = 1; u < U; ++u) total = Semiring::template join<R, N, V>(total, acc[u][w]);
    X::store(out + w * N, total);
  }
}

template <class Semiring, class R, int N, int W>
[[gnu::always_inline]] inline void step(const R* a, const R* m, ptrdiff_t K, ptrdiff_t S, R* out) {
  if constexpr (W > 0) {
    tile<Semiring, R, N, W>(a, m, K, W * N, out);
  } else {
    ptrdiff_t j = 0;
    for (; j + 4 * N <= S; j += 4 * N) tile<Semiring, R, N, 4>(a, m + j, K, S, out + j);
    for (; j < S; j += N) tile<Semiring, R, N, 1>(a, m + j, K, S, out + j);
  }
}

// --- scaled sums
// ----------------------------------------------------------------------------------------------------

// log of a product of many factors with few calls of log.
struct LogProduct {
  double logs = 0, product = 1;
  void multiply(double x) {
    product *= x;
    if (product < 1e-150 || product > 1e150) logs += std::log(product), product = 1;
  }
  double value() const { return logs + std::log(product); }
};

// The checked forward pass. An entry of a new row, before the row is divided by its sum, must be a true zero
// (its label is forbidden, or no label of the row before may precede it) or at least `kFloor`; then every row
// has the right support and full relative precision:
//
// Let d be the least normal number and f the floor; d / f is 1e-11 in float, 1e-27 in double, far below
// rounding. Table and unary factors are at most 1 and rows sum to 1, so an entry's sum over predecessors is
// at least f too. What it lacks is at most d for table entries that were raised to d (see `exponentiate`) and
// d for each product that underflows: K d / f of itself. By induction every row is right.
//
// The backward messages need no check. With the sum s of a forward row before it is divided, s >= f, and
// sum_j alpha[j] beta[j] = 1 at each position:
// - Nothing overflows: beta[j] <= 1 / alpha[j] <= K / f where alpha[j] > 0, and where alpha[j] = 0, j has
//   probability 0 and is left out of what goes on to the position before, which else could grow for ever.
// - What underflows may be lost. All is linear and nonnegative, so a loss is labellings left out, and its
//   worth is their probability: a lost beta[j] < d is worth alpha[j] d, one position's together d at most; a
//   lost factor[j] beta[j] is worth d / s each, K d / f together, as are the products with table entries.
// So the labellings lost in T positions are worth less than 3 T K d / f together, which rounding of as many
// sums exceeds a thousand times.
template <class R>
inline constexpr R kFloor = sizeof(R) == 4 ? R(1e-27) : R(1e-280);

// Whether some i has a[i] > 0 and m[i] > 0.
template <class R, int N>
[[gnu::always_inline]] inline bool meet(const R* a, const R* m, ptrdiff_t S) {
  using X = Vec<R, N>;
  typename X::I both{};
  for (ptrdiff_t j = 0; j < S; j += N) both |= (X::load(a + j) > X::all(0)) & (X::load(m + j) > X::all(0));
  bool any = false;
  for (int lane = 0; lane < N; ++lane) any |= both[lane] != 0;
  return any;
}

template <class R, int N>
[[gnu::always_inline]] inline bool above_floor(const R* row, ptrdiff_t K, ptrdiff_t S) {
  using X = Vec<R, N>;
  auto low = X::keep(X::load(row + S - N), K - (S - N), R(1));
  for (ptrdiff_t j = 0; j + N < S; j += N) low = X::min(low, X::load(row + j));
  return X::lowest(low) >= kFloor<R>;
}

// Whether all of row t that is below the floor is a true zero.
template <class R, int N>
bool true_zeros(const ChainPass<R>& p, ptrdiff_t t, ptrdiff_t S) {
  const R* const row = p.forward + t * S;
  for (ptrdiff_t j = 0; j < p.labels; ++j) {
    const bool forbidden = !(p.unary[t * p.labels + j] < static_cast<R>(__builtin_inf()));
    if (row[j] >= kFloor<R> || forbidden) continue;
    if (t == 0 || meet<R, N>(row - S, p.transposed + p.table_at(t - 1) + j * S, S)) return false;
  }
  return true;
}

// u[l] = exp(-beta (e[l] - low)) of position t, padded with 0. Returns low, the least e.
template <class R, int N>
[[gnu::always_inline]] inline R exponentiate_unary(const ChainPass<R>& p, ptrdiff_t t, ptrdiff_t S, R* u) {
  using X = Vec<R, N>;
  const ptrdiff_t K = p.labels;
  pad_row<R, N>(p.unary + t * K, K, S, (p.length - t) * K, static_cast<R>(__builtin_inf()), u);
  const R low = row_min<R, N>(u, S);
  if (low < static_cast<R>(__builtin_inf())) {
    for (ptrdiff_t j = 0; j < S; j += N) X::store(u + j, X::exp((low - X::load(u + j)) * p.beta));
  }
  return low;
}

template <class R, int N, int W, bool Checked>
double scaled_forward(const ChainPass<R>& p) {
  using X = Vec<R, N>;
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride;
  double energy = 0;
  LogProduct scales;
  for (ptrdiff_t t = 0; t < p.length; ++t) {
    R* const u = p.factor + t * S;
    R* const row = p.forward + t * S;
    const R low = exponentiate_unary<R, N>(p, t, S, u);
    if (!(low < static_cast<R>(__builtin_inf()))) return __builtin_inf();
    energy += static_cast<double>(p.beta) * static_cast<double>(low);
    if (t == 0) {
      for (ptrdiff_t j = 0; j < S; j += N) X::store(row + j, X::load(u + j));
    } else {
      step<SumProduct, R, N, W>(row - S, p.tables + p.table_at(t - 1), K, S, row);
      for (ptrdiff_t j = 0; j < S; j += N) X::store(row + j, X::load(row + j) * X::load(u + j));
      energy += p.offset_at(t - 1);
    }
    const R sum = row_sum<R, N>(row, S);
    if constexpr (Checked) {
      if (!above_floor<R, N>(row, K, S) && !true_zeros<R, N>(p, t, S)) return __builtin_nan("");
      if (!(sum > 0)) return __builtin_inf();
    }
    scale_row<R, N>(row, 1 / sum, S);
    p.scale[t] = sum;
    scales.multiply(static_cast<double>(sum));
  }
  return energy - scales.value();
}

// The row `backward` of t holds factor[t+1] * beta[t+1] / Z_t, with Z_t such that
// p(y_t = i, y_{t+1} = j) = forward[t][i] * table[i][j] * backward[t][j]; 0 where j is out of reach.
template <class R, int N, int W>
void scaled_backward(const ChainPass<R>& p, R weight, R* unary) {
  using X = Vec<R, N>;
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride, T = p.length;
  R* const beta =
      p.backward + (T - 1) * S;  // the row of the last position is free: it is the running message
  for (ptrdiff_t j = 0; j < S; ++j) beta[j] = j < K;
  product_row<R, N>(p.forward + (T - 1) * S, beta, weight, K, unary + (T - 1) * K);
  for (ptrdiff_t t = T - 2; t >= 0; --t) {
    const R* const u = p.factor + (t + 1) * S;
    const R* const alpha = p.forward + t * S;
    R* const b = p.backward + t * S;
    for (ptrdiff_t j = 0; j < S; j += N) {
      const auto within = X::load(alpha + S + j) > X::all(0);
      X::store(b + j, within ? X::load(u + j) * X::load(beta + j) : X::all(0));
    }
    step<SumProduct, R, N, W>(b, p.transposed + p.table_at(t), K, S, beta);
    const R norm = 1 / row_dot<R, N>(alpha, beta, S);
    scale_row<R, N>(beta, norm, S);
    scale_row<R, N>(b, norm, S);
    product_row<R, N>(alpha, beta, weight, K, unary + t * K);
  }
}

// scratch[i][j] = sum_t forward[t][i] * backward[t][j], four rows of it at a time in registers.
template <class R, int N, int I>
[[gnu::always_inline]] inline void outer_tile(const R* a, const R* b, ptrdiff_t T, ptrdiff_t S, R* out) {
  using X = Vec<R, N>;
  typename X::V acc[I] = {};
  for (ptrdiff_t t = 0; t < T; ++t) {
    const auto row = X::load(b + t * S);
    for (int i = 0; i < I; ++i) acc[i] += a[t * S + i] * row;
  }
  for (int i = 0; i < I; ++i) X::store(out + i * S, acc[i]);
}

template <class R, int N, int W>
void scaled_pairs(const ChainPass<R>& p, R weight, R* pairwise, R* scratch) {
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride, T = p.length;
  if (p.which) {
    for (ptrdiff_t t = 0; t + 1 < T; ++t) {
      const R* const m = p.tables + p.table_at(t);
      const R* const b = p.backward + t * S;
      R* const out = pairwise + static_cast<ptrdiff_t>(p.which[t]) * K * K;
      for (ptrdiff_t i = 0; i < K; ++i) {
        const R a = weight * p.forward[t * S + i];
        for (ptrdiff_t j = 0; j < K; ++j) out[i * K + j] += a * m[i * S + j] * b[j];
      }
    }
    return;
  }
  for (ptrdiff_t j = 0; j < S; j += N) {
    ptrdiff_t i = 0;
    for (; i + 8 <= K; i += 8)
      outer_tile<R, N, 8>(p.forward + i, p.backward + j, T - 1, S, scratch + i * S + j);
    for (; i < K; ++i) outer_tile<R, N, 1>(p.forward + i, p.backward + j, T - 1, S, scratch + i * S + j);
  }
  for (ptrdiff_t i = 0; i < K; ++i) {
    for (ptrdiff_t j = 0; j < K; ++j)
      pairwise[i * K + j] += weight * p.tables[i * S + j] * scratch[i * S + j];
  }
}

// --- sums in the log domain
// ------------------------------------------------------------------------------------------

// log sum_j exp(a[j] + b[j]); both padded with -infinity.
template <class R, int N>
[[gnu::always_inline]] inline R log_sum(const R* a, const R* b, ptrdiff_t S) {
  using X = Vec<R, N>;
  auto high = X::load(a) + X::load(b);
  for (ptrdiff_t j = N; j < S; j += N) high = X::max(high, X::load(a + j) + X::load(b + j));
  const R top = -X::lowest(-high);
  if (!(top > -static_cast<R>(__builtin_inf()))) return top;
  typename X::V sum{};
  for (ptrdiff_t j = 0; j < S; j += N) sum += X::exp(X::load(a + j) + X::load(b + j) - top);
  return top + static_cast<R>(std::log(X::sum(sum)));
}

template <class R, int N>
[[gnu::always_inline]] inline R row_max(const R* row, ptrdiff_t S) {
  auto high = Vec<R, N>::load(row);
  for (ptrdiff_t j = N; j < S; j += N) high = Vec<R, N>::max(high, Vec<R, N>::load(row + j));
  return -Vec<R, N>::lowest(-high);
}

template <class R, int N>
[[gnu::always_inline]] inline void shift_row(R* row, R by, ptrdiff_t S) {
  for (ptrdiff_t j = 0; j < S; j += N) Vec<R, N>::store(row + j, Vec<R, N>::load(row + j) - by);
}

template <class R, int N>
double log_forward(const ChainPass<R>& p) {
  using X = Vec<R, N>;
  const ptrdiff_t K = p.labels, S = p.stride;
  double log_z = 0;
  for (ptrdiff_t t = 0; t < p.length; ++t) {
    R* const u = p.factor + t * S;
    R* const row = p.forward + t * S;
    pad_row<R, N>(p.unary + t * K, K, S, (p.length - t) * K, static_cast<R>(__builtin_inf()), u);
    for (ptrdiff_t j = 0; j < S; j += N) X::store(u + j, X::load(u + j) * -p.beta);
    if (t == 0) {
      for (ptrdiff_t j = 0; j < S; j += N) X::store(row + j, X::load(u + j));
    } else {
      const R* const m = p.transposed + p.table_at(t - 1);
      for (ptrdiff_t j = 0; j < S; ++j) {
        row[j] = j < K ? u[j] + log_sum<R, N>(row - S, m + j * S, S) : -static_cast<R>(__builtin_inf());
      }
    }
    const R top = row_max<R, N>(row, S);
    if (!(top > -static_cast<R>(__builtin_inf()))) return __builtin_inf();
    shift_row<R, N>(row, top, S);
    p.scale[t] = top;
    log_z += static_cast<double>(top);
  }
  const R* const last = p.forward + (p.length - 1) * S;
  typename X::V sum{};
  for (ptrdiff_t j = 0; j < S; j += N) sum += X::exp(X::load(last + j));
  return -(log_z + std::log(static_cast<double>(X::sum(sum))));
}

// As scaled_backward, in logarithms: p(y_t = i, y_{t+1} = j) = exp(forward[t][i] + table[i][j] +
// backward[t][j]).
template <class R, int N>
void log_backward(const ChainPass<R>& p, R weight, R* unary) {
  using X = Vec<R, N>;
  const ptrdiff_t K = p.labels, S = p.stride, T = p.length;
  R* const beta = p.backward + (T - 1) * S;
  for (ptrdiff_t j = 0; j < S; ++j) beta[j] = j < K ? R(0) : -static_cast<R>(__builtin_inf());
  shift_row<R, N>(beta, log_sum<R, N>(p.forward + (T - 1) * S, beta, S), S);
  for (ptrdiff_t t = T - 1; t >= 0; --t) {
    const R* const alpha = p.forward + t * S;
    if (t + 1 < T) {
      R* const b = p.backward + t * S;
      const R* const u = p.factor + (t + 1) * S;
      const R* const m = p.tables + p.table_at(t);
      for (ptrdiff_t j = 0; j < S; j += N) X::store(b + j, X::load(u + j) + X::load(beta + j));
      // beta may overwrite what b was made of: b is complete.
      for (ptrdiff_t i = 0; i < K; ++i) beta[i] = log_sum<R, N>(m + i * S, b, S);
      const R norm = log_sum<R, N>(alpha, beta, S);
      shift_row<R, N>(beta, norm, S);
      shift_row<R, N>(b, norm, S);
    }
    // Of energies so large that `norm` is rounded by more than a little, probabilities still sum to 1.
    R top = -static_cast<R>(__builtin_inf());
    for (ptrdiff_t i = 0; i < K; ++i) top = alpha[i] + beta[i] > top ? alpha[i] + beta[i] : top;
    typename X::V sum{};
    for (ptrdiff_t j = 0; j < S; j += N) sum += X::exp(X::load(alpha + j) + X::load(beta + j) - top);
    const R scale = weight / X::sum(sum);
    for (ptrdiff_t j = 0; j < S; j += N) {
      const auto probability = scale * X::exp(X::load(alpha + j) + X::load(beta + j) - top);
      for (int lane = 0; lane < N && j + lane < K; ++lane) unary[t * K + j + lane] = probability[lane];
    }
  }
}

template <class R, int N>
void log_pairs(const ChainPass<R>& p, R weight, R* pairwise) {
  using X = Vec<R, N>;
  const ptrdiff_t K = p.labels, S = p.stride;
  for (ptrdiff_t t = 0; t + 1 < p.length; ++t) {
    const R* const m = p.tables + p.table_at(t);
    const R* const b = p.backward + t * S;
    R* const out = pairwise + (p.which ? static_cast<ptrdiff_t>(p.which[t]) * K * K : 0);
    for (ptrdiff_t i = 0; i < K; ++i) {
      const R a = p.forward[t * S + i];
      for (ptrdiff_t j = 0; j < S; j += N) {
        const auto log_p = a + X::load(m + i * S + j) + X::load(b + j);
        const auto probability = weight * X::exp(X::min(log_p, X::all(0)));
        for (int lane = 0; lane < N && j + lane < K; ++lane) out[i * K + j + lane] += probability[lane];
      }
    }
  }
}

// --- minima
// -----------------------------------------------------------------------------------------------------------

template <class R, int N, int W>
void min_forward(const ChainPass<R>& p) {
  using X = Vec<R, N>;
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride;
  R* const u = p.factor;  // one row
  p.base[0] = 0;
  for (ptrdiff_t t = 0; t < p.length; ++t) {
    R* const row = p.forward + t * S;
    pad_row<R, N>(p.unary + t * K, K, S, (p.length - t) * K, static_cast<R>(__builtin_inf()), u);
    if (t == 0) {
      for (ptrdiff_t j = 0; j < S; j += N) X::store(row + j, X::load(u + j));
      continue;
    }
    step<MinSum, R, N, W>(row - S, p.tables + p.table_at(t - 1), K, S, row);
    for (ptrdiff_t j = 0; j < S; j += N) X::store(row + j, X::load(row + j) + X::load(u + j));
    if (t % kRebase == 0) {
      const R low = row_min<R, N>(row, S);
      const bool finite = low < static_cast<R>(__builtin_inf());
      if (finite) shift_row<R, N>(row, low, S);
      p.base[t / kRebase] = p.base[t / kRebase - 1] + (finite ? static_cast<double>(low) : 0.0);
    }
  }
}

template <class R, int N, int W>
void min_backward(const ChainPass<R>& p) {
  using X = Vec<R, N>;
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride, T = p.length;
  R* const u = p.factor;
  for (ptrdiff_t j = 0; j < S; ++j) p.backward[(T - 1) * S + j] = 0;
  for (ptrdiff_t t = T - 2; t >= 0; --t) {
    const R* const later = p.backward + (t + 1) * S;
    R* const row = p.backward + t * S;
    pad_row<R, N>(p.unary + (t + 1) * K, K, S, (T - 1 - t) * K, static_cast<R>(__builtin_inf()), u);
    for (ptrdiff_t j = 0; j < S; j += N) X::store(u + j, X::load(u + j) + X::load(later + j));
    step<MinSum, R, N, W>(u, p.transposed + p.table_at(t), K, S, row);
    if (t % kRebase == 0) {
      const R low = row_min<R, N>(row, S);
      if (low < static_cast<R>(__builtin_inf())) shift_row<R, N>(row, low, S);
    }
  }
}

#include "inference/history_kernels.inl"

// --- choice of widths, once per sequence
// ------------------------------------------------------------------------------

// What is allowed stays above 0, so that 0 means forbidden.
template <class R>
inline constexpr R kLeast = sizeof(R) == 4 ? R(__FLT_MIN__) : R(__DBL_MIN__);

template <class R>
double exponentiate(const R* energies, ptrdiff_t rows, ptrdiff_t K, ptrdiff_t S, R beta, R* table,
                    R* transposed) {
  using X = Vec<R, 16 / sizeof(R)>;
  constexpr int N = 16 / sizeof(R);
  R low = static_cast<R>(__builtin_inf());
  for (ptrdiff_t i = 0; i < rows * K; ++i) low = energies[i] < low ? energies[i] : low;
  for (ptrdiff_t i = 0; i < rows; ++i) {
    R* const row = table + i * S;
    for (ptrdiff_t j = 0; j < S; ++j)
      row[j] = j < K ? (low - energies[i * K + j]) * beta : -static_cast<R>(__builtin_inf());
    for (ptrdiff_t j = 0; j < S; j += N) X::store(row + j, X::exp(X::load(row + j)));
    for (ptrdiff_t j = 0; j < K; ++j) {
      const bool allowed = energies[i * K + j] < static_cast<R>(__builtin_inf());
      row[j] = !allowed ? R(0) : row[j] < kLeast<R> ? kLeast<R> : row[j];
    }
  }
  for (ptrdiff_t j = 0; transposed && j < K; ++j) {
    for (ptrdiff_t i = 0; i < S; ++i) transposed[j * S + i] = i < K ? table[i * S + j] : R(0);
  }
  return low < static_cast<R>(__builtin_inf()) ? static_cast<double>(beta) * static_cast<double>(low) : 0.0;
}

template <class R>
double choose_forward(const ChainPass<R>& p) {
  return with_width<R>(p.labels, p.stride, [&]<int N, int W>() { return scaled_forward<R, N, W, false>(p); });
}

template <class R>
double choose_checked_forward(const ChainPass<R>& p) {
  return with_width<R>(p.labels, p.stride, [&]<int N, int W>() { return scaled_forward<R, N, W, true>(p); });
}

template <class R>
void choose_backward(const ChainPass<R>& p, R weight, R* unary) {
  with_width<R>(p.labels, p.stride, [&]<int N, int W>() { scaled_backward<R, N, W>(p, weight, unary); });
}

template <class R>
void choose_pairs(const ChainPass<R>& p, R weight, R* pairwise, R* scratch) {
  with_width<R>(p.labels, p.stride,
                [&]<int N, int W>() { scaled_pairs<R, N, W>(p, weight, pairwise, scratch); });
}

template <class R>
void choose_min_forward(const ChainPass<R>& p) {
  with_width<R>(p.labels, p.stride, [&]<int N, int W>() { min_forward<R, N, W>(p); });
}

template <class R>
void choose_min_backward(const ChainPass<R>& p) {
  with_width<R>(p.labels, p.stride, [&]<int N, int W>() { min_backward<R, N, W>(p); });
}

template <class R>
double choose_history_forward(const ChainPass<R>& p) {
  return with_width<R>(p.labels, p.stride, [&]<int N, int W>() { return history_forward<R, N, W>(p); });
}

template <class R>
void choose_history_backward(const ChainPass<R>& p, R weight, R* unary) {
  with_width<R>(p.labels, p.stride, [&]<int N, int W>() { history_backward<R, N, W>(p, weight, unary); });
}

template <class R>
void choose_history_pairs(const ChainPass<R>& p, R weight, R* pairwise, R* scratch) {
  with_width<R>(p.labels, p.stride,
                [&]<int N, int W>() { history_pairs<R, N, W>(p, weight, pairwise, scratch); });
}

template <class R>
void choose_history_min_forward(const ChainPass<R>& p) {
  with_width<R>(p.labels, p.stride, [&]<int N, int W>() { history_min_forward<R, N, W>(p); });
}

template <class R>
void choose_history_min_backward(const ChainPass<R>& p) {
  with_width<R>(p.labels, p.stride, [&]<int N, int W>() { history_min_backward<R, N, W>(p); });
}

template <class R>
void choose_min_product(const R* a, const R* m, ptrdiff_t rows, ptrdiff_t labels, ptrdiff_t stride, R* out) {
  with_width<R>(labels, stride, [&]<int N, int W>() { step<MinSum, R, N, W>(a, m, rows, stride, out); });
}

template <class R>
double choose_log_forward(const ChainPass<R>& p) {
  return with_width<R>(p.labels, p.stride, [&]<int N, int W>() { return log_forward<R, N>(p); });
}

template <class R>
void choose_log_backward(const ChainPass<R>& p, R weight, R* unary) {
  with_width<R>(p.labels, p.stride, [&]<int N, int W>() { log_backward<R, N>(p, weight, unary); });
}

template <class R>
void choose_log_pairs(const ChainPass<R>& p, R weight, R* pairwise, R*) {
  with_width<R>(p.labels, p.stride, [&]<int N, int W>() { log_pairs<R, N>(p, weight, pairwise); });
}

template <class R>
constexpr ChainKernels<R> make_kernels() {
  return {padded<R>,
          exponentiate<R>,
          {choose_forward<R>, choose_backward<R>, choose_pairs<R>},
          choose_checked_forward<R>,
          {choose_log_forward<R>, choose_log_backward<R>, choose_log_pairs<R>},
          choose_min_forward<R>,
          choose_min_backward<R>,
          {choose_history_forward<R>, choose_history_backward<R>, choose_history_pairs<R>},
          {history_log_forward<R>, history_log_backward<R>, history_log_pairs<R>},
          choose_history_min_forward<R>,
          choose_history_min_backward<R>,
          choose_min_product<R>};
}

}  // namespace

extern const ChainKernels<float> chain_kernels_float = make_kernels<float>();
extern const ChainKernels<double> chain_kernels_double = make_kernels<double>();

}  // namespace THALWEG_ISA_SPACE
}  // namespace thalweg::detail
