// The same recursions for chains of higher order (energy/histories.h), part of chain_kernels.inl. Rows of the
// recursions have Q scalars, one for every history and padding; table rows and factors are padded to S as
// ever. A group's histories lie together and lead to the same histories by the same labels, so a step is a
// product of vector and matrix for each group, K (+) each, and a scatter: S K + groups K a position.

// --- what groups share
// ----------------------------------------------------------------------------------------------

// v[k] = factor[t+1][k] * beta[t+1][next(g, k)], 0 where that history is out of reach.
template <class R, int N>
[[gnu::always_inline]] inline void later_products(const ChainPass<R>& p, ptrdiff_t t, ptrdiff_t g,
                                                  ptrdiff_t S, R* v) {
  const HistoryPass& h = p.history;
  const std::uint32_t* const next = h.next + g * p.labels;
  const R* const u = p.factor + (t + 1) * S;
  const R* const alpha = p.forward + (t + 1) * h.stride;
  const R* const beta = p.backward + (t + 1) * h.stride;
  for (ptrdiff_t k = 0; k < p.labels; ++k) v[k] = alpha[next[k]] > 0 ? u[k] * beta[next[k]] : R(0);
}

// unary[l] = weight * sum of alpha[s] beta[s] over the histories s that end in l.
template <class R>
[[gnu::always_inline]] inline void sum_by_label(const HistoryPass& h, const R* alpha, const R* beta, R weight,
                                                ptrdiff_t K, R* unary) {
  for (ptrdiff_t l = 0; l < K; ++l) unary[l] = 0;
  for (ptrdiff_t s = 0; s < h.states; ++s) unary[h.last[s]] += alpha[s] * beta[s];
  for (ptrdiff_t l = 0; l < K; ++l) unary[l] *= weight;
}

// As `true_zeros`, over histories.
template <class R>
bool true_history_zeros(const ChainPass<R>& p, ptrdiff_t t, ptrdiff_t S) {
  const HistoryPass& h = p.history;
  const R* const row = p.forward + t * h.stride;
  const R* const before = row - h.stride;
  if (t == 0) {
    for (ptrdiff_t l = 0; l < p.labels; ++l) {
      if (row[h.start[l]] < kFloor<R> && p.unary[l] < static_cast<R>(__builtin_inf())) return false;
    }
    return true;
  }
  const R* const m = p.tables + p.table_at(t - 1);
  for (ptrdiff_t s = 0; s < h.states; ++s) {
    const ptrdiff_t l = h.last[s];
    if (row[s] >= kFloor<R> || !(p.unary[t * p.labels + l] < static_cast<R>(__builtin_inf()))) continue;
    for (ptrdiff_t i = h.before_offsets[s]; i < h.before_offsets[s + 1]; ++i) {
      if (before[h.before[i]] > 0 && m[h.before[i] * S + l] > 0) return false;
    }
  }
  return true;
}

// --- scaled sums
// ----------------------------------------------------------------------------------------------------

// Always checked: histories out of reach are zeros, so nothing bounds what an underflow is worth.
template <class R, int N, int W>
double history_forward(const ChainPass<R>& p) {
  using X = Vec<R, N>;
  const HistoryPass& h = p.history;
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride, Q = h.stride;
  double energy = 0;
  LogProduct scales;
  for (ptrdiff_t t = 0; t < p.length; ++t) {
    R* const u = p.factor + t * S;
    R* const row = p.forward + t * Q;
    const R low = exponentiate_unary<R, N>(p, t, S, u);
    if (!(low < static_cast<R>(__builtin_inf()))) return __builtin_inf();
    energy += static_cast<double>(p.beta) * static_cast<double>(low);
    for (ptrdiff_t s = 0; s < Q; ++s) row[s] = 0;
    if (t == 0) {
      for (ptrdiff_t l = 0; l < K; ++l) row[h.start[l]] = u[l];
    } else {
      const R* const m = p.tables + p.table_at(t - 1);
      for (ptrdiff_t g = 0; g < h.groups; ++g) {
        const ptrdiff_t first = h.bounds[g], count = h.bounds[g + 1] - first;
        if (count == 0) continue;
        step<SumProduct, R, N, W>(row - Q + first, m + first * S, count, S, p.row);
        for (ptrdiff_t j = 0; j < S; j += N) X::store(p.row + j, X::load(p.row + j) * X::load(u + j));
        const std::uint32_t* const next = h.next + g * K;
        for (ptrdiff_t l = 0; l < K; ++l) row[next[l]] += p.row[l];
      }
      energy += p.offset_at(t - 1);
    }
    if (!true_history_zeros<R>(p, t, S)) return __builtin_nan("");
    const R sum = row_sum<R, N>(row, Q);
    if (!(sum > 0)) return __builtin_inf();
    scale_row<R, N>(row, 1 / sum, Q);
    p.scale[t] = sum;
    scales.multiply(static_cast<double>(sum));
  }
  return energy - scales.value();
}

// Row t of `backward` holds beta[t], scaled so that alpha[t] . beta[t] = 1; norm[t] is by what.
template <class R, int N, int W>
void history_backward(const ChainPass<R>& p, R weight, R* unary) {
  const HistoryPass& h = p.history;
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride, Q = h.stride, T = p.length;
  for (ptrdiff_t j = 0; j < S; ++j) p.row[j] = 0;
  for (ptrdiff_t t = T - 1; t >= 0; --t) {
    const R* const alpha = p.forward + t * Q;
    R* const beta = p.backward + t * Q;
    for (ptrdiff_t s = 0; s < Q; ++s) beta[s] = t + 1 == T && s < h.states;
    if (t + 1 < T) {
      const R* const m = p.tables + p.table_at(t);
      for (ptrdiff_t g = 0; g < h.groups; ++g) {
        later_products<R, N>(p, t, g, S, p.row);
        for (ptrdiff_t s = h.bounds[g]; s < h.bounds[g + 1]; ++s)
          beta[s] = row_dot<R, N>(m + s * S, p.row, S);
      }
      p.norm[t] = 1 / row_dot<R, N>(alpha, beta, Q);
      scale_row<R, N>(beta, p.norm[t], Q);
    }
    sum_by_label<R>(h, alpha, beta, weight, K, unary + t * K);
  }
}

template <class R, int N, int W>
void history_pairs(const ChainPass<R>& p, R weight, R* pairwise, R* scratch) {
  using X = Vec<R, N>;
  const HistoryPass& h = p.history;
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride, T = p.length;
  const ptrdiff_t cells = h.states * S;
  for (ptrdiff_t j = 0; j < S; ++j) p.row[j] = 0;
  // Gathers over all positions that share a table, then multiplies by it.
  for (ptrdiff_t t = 0; t + 1 < T;) {
    for (ptrdiff_t i = 0; i < cells; i += N) X::store(scratch + i, X::all(0));
    const ptrdiff_t first = t;
    do {
      const R* const alpha = p.forward + t * h.stride;
      for (ptrdiff_t g = 0; g < h.groups; ++g) {
        later_products<R, N>(p, t, g, S, p.row);
        for (ptrdiff_t s = h.bounds[g]; s < h.bounds[g + 1]; ++s) {
          const R a = alpha[s] * p.norm[t];
          R* const sum = scratch + s * S;
          for (ptrdiff_t j = 0; j < S; j += N) X::store(sum + j, X::load(sum + j) + a * X::load(p.row + j));
        }
      }
      ++t;
    } while (t + 1 < T && p.table_at(t) == p.table_at(first));
    const R* const m = p.tables + p.table_at(first);
    R* const out = pairwise + (p.which ? static_cast<ptrdiff_t>(p.which[first]) : 0) * h.states * K;
    for (ptrdiff_t s = 0; s < h.states; ++s) {
      for (ptrdiff_t l = 0; l < K; ++l) out[s * K + l] += weight * m[s * S + l] * scratch[s * S + l];
    }
  }
}

// --- sums in the log domain: rare, so plain loops
// ------------------------------------------------------------------------

// log of a sum of exponentials, term by term.
template <class R>
struct LogSum {
  R top = -static_cast<R>(__builtin_inf()), sum = 0;
  void add(R x) {
    if (!(x > -static_cast<R>(__builtin_inf()))) return;
    if (x > top) {
      sum = sum * std::exp(top - x) + 1;
      top = x;
    } else {
      sum += std::exp(x - top);
    }
  }
  R value() const { return sum > 0 ? top + std::log(sum) : top; }
};

template <class R>
double history_log_forward(const ChainPass<R>& p) {
  const HistoryPass& h = p.history;
  const ptrdiff_t K = p.labels, S = p.stride, Q = h.stride;
  constexpr R kNever = -static_cast<R>(__builtin_inf());
  double log_z = 0;
  for (ptrdiff_t t = 0; t < p.length; ++t) {
    R* const u = p.factor + t * S;
    R* const row = p.forward + t * Q;
    for (ptrdiff_t l = 0; l < S; ++l) u[l] = l < K ? p.unary[t * K + l] * -p.beta : kNever;
    for (ptrdiff_t s = 0; s < Q; ++s) row[s] = kNever;
    if (t == 0) {
      for (ptrdiff_t l = 0; l < K; ++l) row[h.start[l]] = u[l];
    } else {
      const R* const m = p.tables + p.table_at(t - 1);
      for (ptrdiff_t s = 0; s < h.states; ++s) {
        LogSum<R> sum;
        for (ptrdiff_t i = h.before_offsets[s]; i < h.before_offsets[s + 1]; ++i)
          sum.add(row[h.before[i] - Q] + m[h.before[i] * S + h.last[s]]);
        row[s] = u[h.last[s]] + sum.value();
      }
    }
    R top = kNever;
    for (ptrdiff_t s = 0; s < h.states; ++s) top = row[s] > top ? row[s] : top;
    if (!(top > kNever)) return __builtin_inf();
    for (ptrdiff_t s = 0; s < h.states; ++s) row[s] -= top;
    p.scale[t] = top;
    log_z += static_cast<double>(top);
  }
  LogSum<R> all;
  for (ptrdiff_t s = 0; s < h.states; ++s) all.add(p.forward[(p.length - 1) * Q + s]);
  return -(log_z + static_cast<double>(all.value()));
}

template <class R>
void history_log_backward(const ChainPass<R>& p, R weight, R* unary) {
  const HistoryPass& h = p.history;
  const ptrdiff_t K = p.labels, S = p.stride, Q = h.stride, T = p.length;
  for (ptrdiff_t t = T - 1; t >= 0; --t) {
    const R* const alpha = p.forward + t * Q;
    R* const beta = p.backward + t * Q;
    for (ptrdiff_t g = 0; g < h.groups; ++g) {
      for (ptrdiff_t s = h.bounds[g]; s < h.bounds[g + 1]; ++s) {
        LogSum<R> sum;
        if (t + 1 == T) sum.add(0);
        for (ptrdiff_t l = 0; l < K && t + 1 < T; ++l)
          sum.add(p.tables[p.table_at(t) + s * S + l] + p.factor[(t + 1) * S + l] +
                  beta[Q + h.next[g * K + l]]);
        beta[s] = sum.value();
      }
    }
    LogSum<R> total;
    for (ptrdiff_t s = 0; s < h.states; ++s) total.add(alpha[s] + beta[s]);
    p.norm[t] = total.value();
    for (ptrdiff_t l = 0; l < K; ++l) unary[t * K + l] = 0;
    for (ptrdiff_t s = 0; s < h.states; ++s) {
      beta[s] -= p.norm[t];
      const R log_p = alpha[s] + beta[s];
      unary[t * K + h.last[s]] += std::exp(log_p < 0 ? log_p : R(0));
    }
    R sum = 0;  // not quite 1, of energies that round `norm` by more than a little
    for (ptrdiff_t l = 0; l < K; ++l) sum += unary[t * K + l];
    for (ptrdiff_t l = 0; l < K; ++l) unary[t * K + l] *= weight / sum;
  }
}

template <class R>
void history_log_pairs(const ChainPass<R>& p, R weight, R* pairwise, R*) {
  const HistoryPass& h = p.history;
  const ptrdiff_t K = p.labels, S = p.stride, Q = h.stride;
  for (ptrdiff_t t = 0; t + 1 < p.length; ++t) {
    const R* const m = p.tables + p.table_at(t);
    const R* const u = p.factor + (t + 1) * S;
    const R* const beta = p.backward + (t + 1) * Q;
    R* const out = pairwise + (p.which ? static_cast<ptrdiff_t>(p.which[t]) : 0) * h.states * K;
    for (ptrdiff_t g = 0; g < h.groups; ++g) {
      for (ptrdiff_t s = h.bounds[g]; s < h.bounds[g + 1]; ++s) {
        const R a = p.forward[t * Q + s] - p.norm[t];
        for (ptrdiff_t l = 0; l < K; ++l) {
          const R log_p = a + m[s * S + l] + u[l] + beta[h.next[g * K + l]];
          out[s * K + l] += weight * std::exp(log_p < 0 ? log_p : R(0));
        }
      }
    }
  }
}

// --- minima
// -----------------------------------------------------------------------------------------------------------

template <class R, int N, int W>
void history_min_forward(const ChainPass<R>& p) {
  using X = Vec<R, N>;
  const HistoryPass& h = p.history;
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride, Q = h.stride;
  R* const u = p.factor;  // one row
  p.base[0] = 0;
  for (ptrdiff_t t = 0; t < p.length; ++t) {
    R* const row = p.forward + t * Q;
    pad_row<R, N>(p.unary + t * K, K, S, (p.length - t) * K, static_cast<R>(__builtin_inf()), u);
    for (ptrdiff_t s = 0; s < Q; ++s) row[s] = static_cast<R>(__builtin_inf());
    if (t == 0) {
      for (ptrdiff_t l = 0; l < K; ++l) row[h.start[l]] = u[l];
      continue;
    }
    const R* const m = p.tables + p.table_at(t - 1);
    for (ptrdiff_t g = 0; g < h.groups; ++g) {
      const ptrdiff_t first = h.bounds[g], count = h.bounds[g + 1] - first;
      if (count == 0) continue;
      step<MinSum, R, N, W>(row - Q + first, m + first * S, count, S, p.row);
      for (ptrdiff_t j = 0; j < S; j += N) X::store(p.row + j, X::load(p.row + j) + X::load(u + j));
      const std::uint32_t* const next = h.next + g * K;
      for (ptrdiff_t l = 0; l < K; ++l) row[next[l]] = p.row[l] < row[next[l]] ? p.row[l] : row[next[l]];
    }
    if (t % kRebase == 0) {
      const R low = row_min<R, N>(row, Q);
      const bool finite = low < static_cast<R>(__builtin_inf());
      if (finite) shift_row<R, N>(row, low, Q);
      p.base[t / kRebase] = p.base[t / kRebase - 1] + (finite ? static_cast<double>(low) : 0.0);
    }
  }
}

template <class R, int N, int W>
void history_min_backward(const ChainPass<R>& p) {
  using X = Vec<R, N>;
  const HistoryPass& h = p.history;
  const ptrdiff_t K = p.labels, S = W > 0 ? W * N : p.stride, Q = h.stride, T = p.length;
  for (ptrdiff_t j = 0; j < S; ++j) p.row[j] = static_cast<R>(__builtin_inf());
  for (ptrdiff_t s = 0; s < Q; ++s) p.backward[(T - 1) * Q + s] = 0;
  for (ptrdiff_t t = T - 2; t >= 0; --t) {
    R* const row = p.backward + t * Q;
    for (ptrdiff_t s = h.states; s < Q; ++s) row[s] = static_cast<R>(__builtin_inf());
    const R* const m = p.tables + p.table_at(t);
    for (ptrdiff_t g = 0; g < h.groups; ++g) {
      for (ptrdiff_t l = 0; l < K; ++l) p.row[l] = p.unary[(t + 1) * K + l] + row[Q + h.next[g * K + l]];
      for (ptrdiff_t s = h.bounds[g]; s < h.bounds[g + 1]; ++s) {
        auto low = X::load(m + s * S) + X::load(p.row);
        for (ptrdiff_t j = N; j < S; j += N) low = X::min(low, X::load(m + s * S + j) + X::load(p.row + j));
        row[s] = X::lowest(low);
      }
    }
    if (t % kRebase == 0) {
      const R low = row_min<R, N>(row, Q);
      if (low < static_cast<R>(__builtin_inf())) shift_row<R, N>(row, low, Q);
    }
  }
}
