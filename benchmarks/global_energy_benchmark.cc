// What a global energy learns that a chain cannot: how often a label occurs in the whole sequence. Accuracy
// on held-out sequences, the generator's (tests/support/counted_labels.h), and CPU seconds of training, one
// thread.
//
//   global_energy_benchmark [SEQUENCES]      to train on, 1000

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "support/counted_labels.h"
#include "thalweg/inference/relaxed_descent.h"

namespace {

using namespace thalweg;
using namespace thalweg::testing;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void compare(const char* title, const CountedRule& rule, Index count) {
  Rng rng(1);
  const auto seen = counted_sequences(rule, count, rng), held_out = counted_sequences(rule, 2000, rng);
  std::printf("| %s | accuracy, %% | training, s |\n|---|---|---|\n", title);
  const auto report = [&](const char* name, double seconds, auto label) {
    std::printf("| %s | %.2f | %.2f |\n", name, counted_accuracy(held_out, label), seconds);
  };
  report("each position's lowest energy", 0, lowest_local);
  double begin = cpu_seconds();
  CountedChain chain(seen, 30);
  report("chain trained on the likelihood", cpu_seconds() - begin,
         [&](const CountedSequence& s, std::span<Label> y) { chain.label(s, y); });
  begin = cpu_seconds();
  ShareNetwork net(rule.labels());
  train_unrolled(net, unrolled_examples(seen), {.passes = 30});
  const double seconds = cpu_seconds() - begin;
  UnrolledDescent unrolled;
  report("global energy, the steps it was trained through", seconds,
         [&](const CountedSequence& s, std::span<Label> y) { unrolled.run(net, s.u), unrolled.labels(y); });
  RelaxedDescent descent;
  report("global energy, annealed descent and rounding", seconds,
         [&](const CountedSequence& s, std::span<Label> y) {
           const RelaxedSum energy(s.u, net);
           descent.start(energy), descent.run(energy, AnnealedDescent{.steps = 50, .rate = 0.5}),
               descent.round(energy, y);
         });
  if (rule.labels() == 2)
    report("posterior of the rule: no one can do better", 0,
           [&](const CountedSequence& s, std::span<Label> y) { likeliest_by_rule(rule, s, y); });
}

}  // namespace

int main(int argc, char** argv) {
  const Index count = argc > 1 ? std::atoi(argv[1]) : 1000;
  compare("10 of 20 labels are 0; evidence off by unknown offsets", {}, count);
  std::puts("");
  compare("5 or 15 of 20 labels are 0", {.counts = {{5, 15}, {15, 5}}, .evidence = 1.2, .offset = 0}, count);
  std::puts("");
  compare("4 of 32 labels are l, for each of 8; evidence off by unknown offsets",
          {.length = 32, .counts = {std::vector<Index>(8, 4)}}, count);
}
