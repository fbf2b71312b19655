// Short vectors for the kernel files, which are compiled once per instruction set. Included inside the
// namespace of that instruction set, so nothing here can be merged with another one's code. GCC and clang
// lower these types on any architecture.

template <class R, int N>
struct Lanes {
  typedef R Real __attribute__((vector_size(N * sizeof(R))));
  using Integer = decltype(Real{} < Real{});
};

template <class R>
struct Bits;
template <>
struct Bits<float> {
  using Integer = std::int32_t;
};
template <>
struct Bits<double> {
  using Integer = std::int64_t;
};

// The widest vector of this instruction set, in bytes.
#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class R, int N>
struct Vec {
  using V = typename Lanes<R, N>::Real;
  using I = typename Lanes<R, N>::Integer;

  [[gnu::always_inline]] static inline V load(const R* p) {
    V v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }
  [[gnu::always_inline]] static inline void store(R* p, V v) { __builtin_memcpy(p, &v, sizeof v); }
  [[gnu::always_inline]] static inline V all(R x) { return x - V{}; }
  [[gnu::always_inline]] static inline V min(V a, V b) { return a < b ? a : b; }
  [[gnu::always_inline]] static inline V max(V a, V b) { return a > b ? a : b; }
  // Lanes below `n` of v, `fill` in the rest.
  [[gnu::always_inline]] static inline V keep(V v, std::ptrdiff_t n, R fill) {
    I lane;
    for (int i = 0; i < N; ++i) lane[i] = i;
    return lane < static_cast<typename Bits<R>::Integer>(n) - I{} ? v : all(fill);
  }
  [[gnu::always_inline]] static inline R sum(V v) {
    if constexpr (N == 1) {
      return v[0];
    } else {
      typename Lanes<R, N / 2>::Real low, high;
      __builtin_memcpy(&low, &v, sizeof low);
      __builtin_memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
      return Vec<R, N / 2>::sum(low + high);
    }
  }
  [[gnu::always_inline]] static inline R lowest(V v) {
    if constexpr (N == 1) {
      return v[0];
    } else {
      typename Lanes<R, N / 2>::Real low, high;
      __builtin_memcpy(&low, &v, sizeof low);
      __builtin_memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
      return Vec<R, N / 2>::lowest(low < high ? low : high);
    }
  }

  // exp(x) for x <= 0 to within 2 ulp; 0 where the result would be denormal. Range reduction and polynomials
  // as in Moshier's Cephes (expf.c, exp.c).
  [[gnu::always_inline]] static inline V exp(V x) {
    if constexpr (sizeof(R) == 4) {
      const I live = x >= all(-87.3f);
      x = live ? x : all(0);
      const V shifted = x * 1.44269504f + 12582912.f;  // 1.5 * 2^23: rounds to an integer in the low bits
      const V n = shifted - 12582912.f;
      x = x - n * 0.693359375f + n * 2.12194440e-4f;
      V p = all(1.9875691500e-4f);
      p = p * x + 1.3981999507e-3f;
      p = p * x + 8.3334519073e-3f;
      p = p * x + 4.1665795894e-2f;
      p = p * x + 1.6666665459e-1f;
      p = p * x + 5.0000001201e-1f;
      p = p * x * x + x + 1.f;
      I bits;
      __builtin_memcpy(&bits, &shifted, sizeof bits);
      bits = (bits - 0x4B400000 + 127) << 23;
      V power;
      __builtin_memcpy(&power, &bits, sizeof power);
      return live ? p * power : all(0);
    } else {
      const I live = x >= all(-708.);
      x = live ? x : all(0);
      const V shifted = x * 1.4426950408889634 + 6755399441055744.;  // 1.5 * 2^52
      const V n = shifted - 6755399441055744.;
      x = x - n * 6.93145751953125e-1 - n * 1.42860682030941723212e-6;
      const V xx = x * x;
      const V p = x * ((1.26177193074810590878e-4 * xx + 3.02994407707441961300e-2) * xx + 1.0);
      const V q =
          ((3.00198505138664455042e-6 * xx + 2.52448340349684104192e-3) * xx + 2.27265548208155028766e-1) *
              xx +
          2.0;
      const V y = 1.0 + 2.0 * p / (q - p);
      I bits;
      __builtin_memcpy(&bits, &shifted, sizeof bits);
      bits = (bits - 0x4338000000000000 + 1023) << 52;
      V power;
      __builtin_memcpy(&power, &bits, sizeof power);
      return live ? y * power : all(0);
    }
  }
};

// Scalars in the vectors that suit rows of n: the widest that is not longer than the row.
template <class R>
std::ptrdiff_t lanes(std::ptrdiff_t n) {
  std::ptrdiff_t width = kVectorBytes / static_cast<std::ptrdiff_t>(sizeof(R));
  while (width > 16 / static_cast<std::ptrdiff_t>(sizeof(R)) && width > n) width /= 2;
  return width;
}

// n rounded up to whole vectors.
template <class R>
std::ptrdiff_t padded(std::ptrdiff_t n) {
  return (n + lanes<R>(n) - 1) / lanes<R>(n) * lanes<R>(n);
}

// f.operator()<N, W>() for rows of `columns` scalars padded to `stride`: N lanes a vector, W vectors a row
// where there are at most four, else 0. The one place where widths become types, once a call of a kernel.
template <int N, class F>
auto with_vectors(std::ptrdiff_t stride, F f) {
  switch (stride / N) {
    case 1:
      return f.template operator()<N, 1>();
    case 2:
      return f.template operator()<N, 2>();
    case 3:
      return f.template operator()<N, 3>();
    case 4:
      return f.template operator()<N, 4>();
    default:
      return f.template operator()<N, 0>();
  }
}

template <class R, class F>
auto with_width(std::ptrdiff_t columns, std::ptrdiff_t stride, F f) {
  constexpr int widest = kVectorBytes / sizeof(R), narrowest = 16 / sizeof(R);
  const std::ptrdiff_t n = lanes<R>(columns);
  if (n == widest) return with_vectors<widest>(stride, f);
  if constexpr (widest >= 4 * narrowest) {
    if (n == 2 * narrowest) return with_vectors<2 * narrowest>(stride, f);
  }
  return with_vectors<narrowest>(stride, f);
}
