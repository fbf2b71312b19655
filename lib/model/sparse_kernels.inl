// Compiled once per instruction set by sparse_kernels_*.cc, which define THALWEG_ISA_SPACE.
//
// All loops are bound by memory: about 18 rows a position on CoNLL-2000, most of them whole rows of 22
// labels. The sum of a row stays in registers; gather reads each weight row once a position, reduce writes
// each gradient once in all.

namespace thalweg::detail {
namespace THALWEG_ISA_SPACE {
namespace {

#include "core/vec.inl"

using std::ptrdiff_t;

// Positions whose gradients are summed in float before they go to double.
constexpr ptrdiff_t kFloatRun = 64;

// Rows are asked for this many entries before they are summed. Positions read too few each for the processor
// to see those of the next one in time: 1.15 times as fast on CoNLL-2000.
constexpr ptrdiff_t kAhead = 16;

template <class T>
[[gnu::always_inline]] inline void ask_for(const T* row, ptrdiff_t width) {
  __builtin_prefetch(row), __builtin_prefetch(row + width - 1);
}

// N weights of a row as floats.
template <int N>
[[gnu::always_inline]] inline typename Vec<float, N>::V load_weights(const float* p) {
  return Vec<float, N>::load(p);
}

// As to_float (core/half.h), N at a time.
template <int N>
[[gnu::always_inline]] inline typename Vec<float, N>::V load_weights(const Half* p) {
  typedef std::int16_t Halves __attribute__((vector_size(N * sizeof(std::int16_t))));
  Halves halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  typename Vec<float, N>::I bits = __builtin_convertvector(halves, typename Vec<float, N>::I);
  bits = (bits << 13) & static_cast<std::int32_t>(Half::kBits);
  typename Vec<float, N>::V v;
  __builtin_memcpy(&v, &bits, sizeof v);
  return v * Half::kReach;
}

[[gnu::always_inline]] inline float as_float(float weight) { return weight; }
[[gnu::always_inline]] inline float as_float(Half weight) { return load_weights<1>(&weight)[0]; }

// out[j .. j + W N) += sign * sum of the dense rows of one position, those columns; nothing beyond K.
template <int N, int W, bool Valued, class Layout>
[[gnu::always_inline]] inline void add_dense(const Layout& s, const RowPlan& p, ptrdiff_t r, ptrdiff_t last,
                                             ptrdiff_t j, float sign, float* out) {
  using X = Vec<float, N>;
  typename X::V sum[W] = {};
  for (ptrdiff_t e = p.dense_offsets[r]; e < p.dense_offsets[r + 1]; ++e) {
    const auto* const weights = s.dense + static_cast<ptrdiff_t>(p.dense[e]) * s.stride + j;
    const ptrdiff_t later = e + kAhead < last ? e + kAhead : last;
    ask_for(s.dense + static_cast<ptrdiff_t>(p.dense[later]) * s.stride + j, W * N);
    for (int w = 0; w < W; ++w) {
      if constexpr (Valued) {
        sum[w] += p.dense_values[e] * load_weights<N>(weights + w * N);
      } else {
        sum[w] += load_weights<N>(weights + w * N);
      }
    }
  }
  float row[W * N];
  for (int w = 0; w < W; ++w) X::store(row + w * N, sum[w]);
  const ptrdiff_t live = s.labels - j < W * N ? s.labels - j : W * N;
  for (ptrdiff_t i = 0; i < live; ++i) out[j + i] += sign * row[i];
}

template <int N, int W, bool Valued, class Layout>
void gather_rows(const Layout& s, const RowPlan& p, ptrdiff_t begin, ptrdiff_t end, float sign, float* out,
                 ptrdiff_t pitch) {
  const ptrdiff_t last_row = p.dense_offsets[end] - 1, last_pair = p.pair_offsets[end] - 1;
  for (ptrdiff_t r = begin; r < end; ++r, out += pitch) {
    if constexpr (W > 0) {
      add_dense<N, W, Valued>(s, p, r, last_row, 0, sign, out);
    } else {
      ptrdiff_t j = 0;
      for (; j + 4 * N <= s.labels; j += 4 * N) add_dense<N, 4, Valued>(s, p, r, last_row, j, sign, out);
      for (; j < s.labels; j += N) add_dense<N, 1, Valued>(s, p, r, last_row, j, sign, out);
    }
    for (ptrdiff_t e = p.pair_offsets[r]; e < p.pair_offsets[r + 1]; ++e) {
      __builtin_prefetch(s.sparse + p.pairs[e + kAhead < last_pair ? e + kAhead : last_pair]);
      const auto pair = s.sparse[p.pairs[e]];
      if (static_cast<ptrdiff_t>(pair.label) >= s.labels) continue;
      const float weight = as_float(pair.weight);
      out[pair.label] += sign * (Valued ? p.pair_values[e] * weight : weight);
    }
  }
}

[[gnu::always_inline]] inline void ask_ahead(const SparseRows& p, ptrdiff_t e, ptrdiff_t last,
                                             const float* table, ptrdiff_t K) {
  ask_for(table + static_cast<ptrdiff_t>(p.columns[e + kAhead < last ? e + kAhead : last]) * K, K);
}

// total[0 .. W N) = sum over the entries [e, end) of value * table rows. The last vector of a row reads into
// the next row of the table, which is not padded, so the caller keeps the last row of a table away.
template <int N, int W, bool Valued>
[[gnu::always_inline]] inline void sum_dense(const SparseRows& p, ptrdiff_t e, ptrdiff_t end, ptrdiff_t last,
                                             const float* table, ptrdiff_t K, double* total) {
  using X = Vec<float, N>;
  for (int j = 0; j < W * N; ++j) total[j] = 0;
  while (e < end) {
    const ptrdiff_t stop = end - e < kFloatRun ? end : e + kFloatRun;
    typename X::V sum[W] = {};
    for (; e < stop; ++e) {
      const float* const row = table + static_cast<ptrdiff_t>(p.columns[e]) * K;
      ask_ahead(p, e, last, table, K);
      for (int w = 0; w < W; ++w) {
        if constexpr (Valued) {
          sum[w] += p.values[e] * X::load(row + w * N);
        } else {
          sum[w] += X::load(row + w * N);
        }
      }
    }
    for (int w = 0; w < W; ++w) {
      for (int lane = 0; lane < N; ++lane) total[w * N + lane] += static_cast<double>(sum[w][lane]);
    }
  }
}

// Positions ascend, so only the last one of a row can be the last of the table: it is added by itself. With
// one label the last vector would reach further than the next row, and with more than four vectors totals
// would not stay in registers: then label by label.
template <int N, int W, bool Valued>
void reduce_rows(const SparseLayout& s, const SparseRows& p, const FeatureRows& features, ptrdiff_t begin,
                 ptrdiff_t end, const float* table, double* into) {
  const ptrdiff_t K = s.labels, last_entry = p.offsets[end] - 1;
  for (ptrdiff_t a = begin; a < end; ++a) {
    const ptrdiff_t from = p.offsets[a], to = p.offsets[a + 1];
    const std::uint32_t* const label = features.labels + features.offsets[a];
    const ptrdiff_t count = features.offsets[a + 1] - features.offsets[a];
    double* const g = into + features.offsets[a];
    if constexpr (W > 0) {
      if (K > 1 && a < s.dense_rows && to - from > 1) {
        double total[W * N];
        sum_dense<N, W, Valued>(p, from, to - 1, last_entry, table, K, total);
        const float* const last = table + static_cast<ptrdiff_t>(p.columns[to - 1]) * K;
        const float value = Valued ? p.values[to - 1] : 1.f;
        for (ptrdiff_t k = 0; k < count; ++k)
          g[k] -= total[label[k]] + static_cast<double>(value * last[label[k]]);
        continue;
      }
    }
    for (ptrdiff_t e = from; e < to; ++e) {
      const float* const row = table + static_cast<ptrdiff_t>(p.columns[e]) * K;
      ask_ahead(p, e, last_entry, table, K);
      const float value = Valued ? p.values[e] : 1.f;
      for (ptrdiff_t k = 0; k < count; ++k) g[k] -= static_cast<double>(value * row[label[k]]);
    }
  }
}

template <int N, int W>
void sum_rows_width(const SparseLayout& s, const SparseRows& p, ptrdiff_t begin, ptrdiff_t end,
                    const float* table, float* out) {
  const ptrdiff_t K = s.labels;
  for (ptrdiff_t c = begin; c < end; ++c) {
    float* const sum = out + c * K;
    ptrdiff_t from = p.offsets[c];
    const ptrdiff_t to = p.offsets[c + 1];
    for (ptrdiff_t j = 0; j < K; ++j) sum[j] = 0;
    if constexpr (W > 0) {
      if (K > 1 && to - from > 1) {
        double total[W * N];
        sum_dense<N, W, false>(p, from, to - 1, p.offsets[end] - 1, table, K, total);
        for (ptrdiff_t j = 0; j < K; ++j) sum[j] = static_cast<float>(total[j]);
        from = to - 1;
      }
    }
    for (; from < to; ++from) {
      const float* const row = table + static_cast<ptrdiff_t>(p.columns[from]) * K;
      for (ptrdiff_t j = 0; j < K; ++j) sum[j] += row[j];
    }
  }
}

// row[j .. j + W N) += value * along, where the mask says so; adds what that changes in |w|^2 to `change`.
template <int N, int W>
[[gnu::always_inline]] inline void move_lanes(float* row, const std::uint32_t* mask, ptrdiff_t j, float value,
                                              const float* along, typename Vec<float, N>::V& change) {
  using X = Vec<float, N>;
  typename X::I lane_bit;
  for (int lane = 0; lane < N; ++lane) lane_bit[lane] = static_cast<std::int32_t>(1u << lane);
  for (int w = 0; w < W; ++w, j += N) {
    const auto bits = static_cast<std::int32_t>(mask[j / 32] >> (j % 32));
    const auto old = X::load(row + j);
    const auto by = ((bits - typename X::I{}) & lane_bit) != 0 ? value * X::load(along + j) : X::all(0);
    const auto moved = old + by;
    change += by * (old + moved);
    X::store(row + j, moved);
  }
}

template <int N, int W, bool Valued>
double move_rows(const SparseTarget& s, const RowPlan& p, ptrdiff_t begin, ptrdiff_t end, float step,
                 const float* table) {
  using X = Vec<float, N>;
  constexpr ptrdiff_t kBuffer = W > 0 ? W * N : 1024;
  float buffer[kBuffer] = {};
  double total = 0;
  for (ptrdiff_t r = begin; r < end; ++r, table += s.labels) {
    typename X::V change{};
    float pairs = 0;
    for (ptrdiff_t from = 0; from < s.stride; from += kBuffer) {
      const ptrdiff_t width = s.stride - from < kBuffer ? s.stride - from : kBuffer;
      const ptrdiff_t live = s.labels - from < width ? s.labels - from : width;
      for (ptrdiff_t l = 0; l < live; ++l) buffer[l] = step * table[from + l];
      for (ptrdiff_t l = live; l < width; ++l) buffer[l] = 0;
      bool moves = false;
      for (ptrdiff_t l = 0; l < live; ++l) moves |= buffer[l] != 0;
      if (!moves) continue;
      for (ptrdiff_t e = p.dense_offsets[r]; e < p.dense_offsets[r + 1]; ++e) {
        float* const row = s.dense + static_cast<ptrdiff_t>(p.dense[e]) * s.stride;
        const std::uint32_t* const mask = s.masks + static_cast<ptrdiff_t>(p.dense[e]) * s.mask_words;
        const float value = Valued ? p.dense_values[e] : 1.f;
        if constexpr (W > 0) {
          move_lanes<N, W>(row, mask, 0, value, buffer, change);
        } else {
          for (ptrdiff_t j = from; j < from + width; j += N)
            move_lanes<N, 1>(row, mask, j, value, buffer - from, change);
        }
      }
    }
    for (ptrdiff_t e = p.pair_offsets[r]; e < p.pair_offsets[r + 1]; ++e) {
      SparseWeight& pair = s.sparse[p.pairs[e]];
      const float by = step * table[pair.label] * (Valued ? p.pair_values[e] : 1.f);
      pairs += by * (2 * pair.weight + by);
      pair.weight += by;
    }
    total += static_cast<double>(X::sum(change)) + static_cast<double>(pairs);
  }
  return total;
}

template <class Layout>
void gather(const Layout& s, const RowPlan& p, ptrdiff_t begin, ptrdiff_t end, float sign, float* out,
            ptrdiff_t pitch) {
  with_width<float>(s.labels, padded<float>(s.labels), [&]<int N, int W>() {
    p.valued ? gather_rows<N, W, true>(s, p, begin, end, sign, out, pitch)
             : gather_rows<N, W, false>(s, p, begin, end, sign, out, pitch);
  });
}

void sum_rows(const SparseLayout& s, const SparseRows& positions, ptrdiff_t begin, ptrdiff_t end,
              const float* table, float* out) {
  with_width<float>(s.labels, s.stride,
                    [&]<int N, int W>() { sum_rows_width<N, W>(s, positions, begin, end, table, out); });
}

void reduce(const SparseLayout& s, const SparseRows& positions, const FeatureRows& features, ptrdiff_t begin,
            ptrdiff_t end, const float* table, double* into) {
  with_width<float>(s.labels, s.stride, [&]<int N, int W>() {
    positions.values ? reduce_rows<N, W, true>(s, positions, features, begin, end, table, into)
                     : reduce_rows<N, W, false>(s, positions, features, begin, end, table, into);
  });
}

double move(const SparseTarget& s, const RowPlan& p, ptrdiff_t begin, ptrdiff_t end, float step,
            const float* table) {
  return with_width<float>(s.labels, s.stride, [&]<int N, int W>() {
    return p.valued ? move_rows<N, W, true>(s, p, begin, end, step, table)
                    : move_rows<N, W, false>(s, p, begin, end, step, table);
  });
}

}  // namespace

extern const SparseKernels sparse_kernels_here = {
    padded<float>, gather<SparseLayout>, gather<HalfLayout>, sum_rows, reduce, move};

}  // namespace THALWEG_ISA_SPACE
}  // namespace thalweg::detail
