// Compiled once per instruction set by dense_kernels_*.cc, which define THALWEG_ISA_SPACE.
//
// Both products keep a small tile of results in registers: R rows of W vectors. Rows of labels are narrow, so
// one tile spans them; wider ones are taken vector by vector.

namespace thalweg::detail {
namespace THALWEG_ISA_SPACE {
namespace {

#include "core/vec.inl"

using std::ptrdiff_t;

// tile[r][0 .. W N) = sum over i of a(r, i) * b[i * pitch ..].
template <int N, int W, int R, class A>
[[gnu::always_inline]] inline void tile_product(ptrdiff_t count, const float* b, ptrdiff_t pitch, A a,
                                                float* tile) {
  using X = Vec<float, N>;
  typename X::V sum[R][W] = {};
  for (ptrdiff_t i = 0; i < count; ++i, b += pitch) {
    typename X::V row[W];
    for (int w = 0; w < W; ++w) row[w] = X::load(b + w * N);
    for (int r = 0; r < R; ++r) {
      const typename X::V factor = X::all(a(r, i));
      for (int w = 0; w < W; ++w) sum[r][w] += factor * row[w];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int w = 0; w < W; ++w) X::store(tile + (r * W + w) * N, sum[r][w]);
  }
}

// Calls tile.operator()<W, R>(j, first) so that tiles of R rows from `first` and of W vectors from column j
// cover `rows` rows of `stride` columns.
template <int N, int W, class Tile>
void for_each_tile(ptrdiff_t rows, ptrdiff_t stride, Tile tile) {
  constexpr int Wide = W > 0 ? W : 1, R = Wide <= 2 ? 4 : 2;
  for (ptrdiff_t j = 0; j < stride; j += Wide * N) {
    ptrdiff_t r = 0;
    for (; r + R <= rows; r += R) tile.template operator()<Wide, R>(j, r);
    for (; r < rows; ++r) tile.template operator()<Wide, 1>(j, r);
  }
}

void multiply(const float* x, ptrdiff_t rows, ptrdiff_t D, const float* w, ptrdiff_t labels, ptrdiff_t stride,
              float* out) {
  with_width<float>(labels, stride, [&]<int N, int W>() {
    for_each_tile<N, W>(rows, stride, [&]<int Wide, int R>(ptrdiff_t j, ptrdiff_t first) {
      float tile[R * Wide * N];
      const float* const from = x + first * D;
      tile_product<N, Wide, R>(
          D, w + j, stride, [&](int r, ptrdiff_t d) { return from[r * D + d]; }, tile);
      const ptrdiff_t live = labels - j < Wide * N ? labels - j : Wide * N;
      for (int r = 0; r < R; ++r) {
        for (ptrdiff_t l = 0; l < live; ++l) out[(first + r) * labels + j + l] -= tile[r * Wide * N + l];
      }
    });
  });
}

void multiply_transposed(const float* x, ptrdiff_t rows, ptrdiff_t D, ptrdiff_t begin, ptrdiff_t end,
                         const float* g, ptrdiff_t labels, ptrdiff_t stride, double* into) {
  with_width<float>(labels, stride, [&]<int N, int W>() {
    for_each_tile<N, W>(end - begin, stride, [&]<int Wide, int R>(ptrdiff_t j, ptrdiff_t first) {
      float tile[R * Wide * N];
      const float* const from = x + begin + first;
      tile_product<N, Wide, R>(
          rows, g + j, stride, [&](int r, ptrdiff_t i) { return from[i * D + r]; }, tile);
      const ptrdiff_t live = labels - j < Wide * N ? labels - j : Wide * N;
      for (int r = 0; r < R; ++r) {
        double* const row = into + (begin + first + r) * labels + j;
        for (ptrdiff_t l = 0; l < live; ++l) row[l] -= static_cast<double>(tile[r * Wide * N + l]);
      }
    });
  });
}

}  // namespace

extern const DenseKernels dense_kernels_here = {padded<float>, multiply, multiply_transposed};

}  // namespace THALWEG_ISA_SPACE
}  // namespace thalweg::detail
