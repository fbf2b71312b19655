// Once warm, inference allocates nothing. A program of its own, since it replaces operator new.

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "support/catch.h"
#include "support/losses.h"
#include "support/temporary_folder.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/sum_product.h"
#include "thalweg/io/corpus_reader.h"
#include "thalweg/io/model_file.h"
#include "thalweg/learning/chain_layer.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

namespace {

std::atomic<long> allocations{0}, live{0};
std::atomic<long> until_failure{-1};  // below 0: none fails

void* allocate(std::size_t size, std::size_t alignment) {
  ++allocations;
  if (until_failure >= 0 && until_failure-- == 0) throw std::bad_alloc();
  void* p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!p) throw std::bad_alloc();
  ++live;
  return p;
}

void release(void* p) {
  live -= p != nullptr;
  std::free(p);
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }

using namespace thalweg;

TEST_CASE("warm workspaces allocate nothing", "[inference]") {
  Rng rng(1);
  const auto big = testing::random_chain<float>(rng, {50, 22}),
             small = testing::random_chain<float>(rng, {20, 22});
  for (double forbid : {0.0, 0.1}) {
    const auto pairs = testing::random_chain<float>(rng, {1, 22, 1, 1, 0, forbid});
    Couplings<float> minima, sums;
    MinSum<float> min_sum;
    SumProduct<float> sum_product;
    TableBuffer<float> unary(50, 22), pairwise(1, 22 * 22);
    std::vector<Label> y(50);
    auto work = [&](const testing::OwnedChain<float>& of) {
      const Chain<float> chain{of.unary.view(), pairs.pairwise.view(), {}};
      const auto T = static_cast<std::size_t>(chain.length());
      minima.prepare_minima(chain.pairwise, 22), sums.prepare_sums(chain.pairwise, 22, 1.f);
      min_sum.minimize(chain, minima, std::span(y).first(T));
      min_sum.min_marginals(chain, minima, Table<float>(unary).slice(0, chain.length()));
      sum_product.forward(chain, sums);
      sum_product.marginals(1, {Table<float>(unary).slice(0, chain.length()), pairwise, {}});
      sum_product.sample(rng, std::span(y).first(T));
    };
    work(big);
    const long before = allocations;
    for (int i = 0; i < 10; ++i) work(small), work(big);
    CHECK(allocations == before);
  }
}

TEST_CASE("a warm layer allocates nothing", "[learning]") {
  Rng rng(2);
  const Index B = 20, T = 10, K = 5;
  const auto energies = testing::random_chain<float>(rng, {B * T, K, 1, 1, 0, 0.1});
  const std::vector<Index> lengths(B, T - 1);
  const std::vector<float> ends(K, 0.5f);
  std::vector<Label> labels(B * T, 0), decoded(B * T);
  const std::vector<Label> whole = labels;
  labels[3] = kNoLabel;
  const std::vector<Loss> losses = testing::every_loss(K);
  std::vector<double> values(B);
  std::vector<float> emissions(B * T * K), transitions(K * K), start(K);
  const ChainBatch<float> batch{
      B,       T,    K,   {energies.unary[0], emissions.size()}, {energies.pairwise[0], transitions.size()},
      lengths, ends, ends};
  ChainLayer<float> layer;
  auto work = [&] {
    for (const Loss& loss : losses)
      layer.value_and_gradient(loss, batch, {testing::takes_open(loss) ? labels : whole}, values,
                               {emissions, transitions, start});
    layer.decode(batch, decoded, values);
    layer.marginals(batch, 1, emissions, values);
  };
  work();
  const long before = allocations;
  work();
  CHECK(allocations == before);
}

TEST_CASE("a warm decoder allocates nothing", "[pipeline]") {
  const std::string folder = std::string(THALWEG_SOURCE_DIR) + "/data/river-news/";
  const Tagger tagger(train(read_corpus(folder + "train.txt", Format::Columns), {.iterations = 5}));
  const Corpus test = read_corpus(folder + "test.txt", Format::Columns);
  Decoder decoder(tagger);
  auto work = [&] {
    for (Index n = 0; n < test.size(); ++n) {
      decoder.read(test[n]);
      decoder.minimize();
      decoder.free_energy();
      decoder.marginals();
    }
  };
  work();
  const long before = allocations;
  work();
  CHECK(allocations == before);
}

TEST_CASE(
    "whichever allocation fails while a model is loaded and tags, bad_alloc comes out and nothing stays",
    "[pipeline]") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "small.model";
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}, {"c", "X"}});
  const std::string templates = "U:%x[0,0]\nU1:%suffix[-1,0,1]\nB\nB1:%x[0,0]\n";
  save_model(train(corpus, {}, {.templates = templates}), path);
  const auto load_and_tag = [&] {
    const Tagger tagger = Tagger::load(path);
    tagger.tag({"a", "b", "d"});
    load_model(path);
  };
  // Each on a thread of its own, so that what a thread keeps warm is made anew, and gone in the end.
  const auto fails = [&](long k) {
    bool failed = false;
    std::thread([&] {
      until_failure = k;
      try {
        load_and_tag();
      } catch (const std::bad_alloc&) {
        failed = true;
      }
      until_failure = -1;
    }).join();
    return failed;
  };
  REQUIRE_FALSE(fails(1'000'000));  // and what the process keeps is there
  const long before = live;
  long k = 0;
  while (fails(k)) {
    if (live != before) FAIL("allocation " << k << " leaves " << live - before << " more");
    ++k;
  }
  CHECK(live == before);
  CHECK(k > 100);
}
