#include <algorithm>
#include <cstring>
#include <filesystem>

#include "support/catch.h"
#include "support/small_corpus.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/io/atomic_file.h"
#include "thalweg/io/checkpoint_file.h"
#include "thalweg/io/model_file.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const char* const kPlain = "U1:%x[0,0]\nU2:%x[-1,0]\nU3:%x[-1,0]/%x[0,0]\nB\n";
const char* const kPairs = "U1:%x[0,0]\nB\nB1:%x[1,0]\n";

struct Data {
  Examples examples;
  DevelopmentSet development;
  explicit Data(const char* templates = kPlain, Index sentences = 120)
      : examples(learn_examples(random_corpus(3, sentences), {.templates = templates})),
        development{look_up_dataset(random_corpus(4, 40), examples.model.featurizer,
                                    examples.model.attributes, examples.model.labels),
                    examples.model.labels} {
    if (examples.model.featurizer.pairs()) {
      development.data.pairs.clear();
      FeatureScratch scratch;
      const Corpus corpus = random_corpus(4, 40);
      for (Index n = 0; n < corpus.size(); ++n)
        look_up_pairs(examples.model.featurizer, corpus[n], examples.model.pair_attributes, scratch,
                      development.data);
    }
  }
};

struct Trained {
  Model model;
  TrainSummary summary;
};

Trained train_on(const Data& data, bool watched, const TrainOptions& options,
                 const TrainCallback& callback = {}) {
  Trained t{data.examples.model, {}};
  t.summary =
      train_model(t.model, data.examples.data, watched ? &data.development : nullptr, options, callback);
  return t;
}

void check_same(const Trained& a, const Trained& b) {
  REQUIRE(model_bytes(a.model) == model_bytes(b.model));
  REQUIRE(a.model.weights == b.model.weights);
  CHECK(a.summary.used == b.summary.used);
  CHECK(a.summary.stopped == b.summary.stopped);
  CHECK(a.summary.iterations == b.summary.iterations);
  CHECK(a.summary.evaluations == b.summary.evaluations);
  CHECK(a.summary.objective == b.summary.objective);
  CHECK(std::memcmp(&a.summary.dual, &b.summary.dual, sizeof(double)) == 0);  // both may be NaN
  CHECK(a.summary.best_iteration == b.summary.best_iteration);
  CHECK(a.summary.dev_f1 == b.summary.dev_f1);
}

struct Case {
  const char* name;
  TrainOptions options;
};

const std::vector<Case> kCases{
    {"lbfgs", {.solver = Solver::Lbfgs, .c2 = 0.01, .iterations = 20}},
    {"owl-qn", {.c2 = 0, .c1 = 0.3, .iterations = 20}},
    {"eg", {.solver = Solver::ExponentiatedGradient, .c2 = 0.01, .gap = 0, .iterations = 20}},
    {"averaged", {.loss = PerceptronLoss{}, .iterations = 20}},
    {"pa", {.loss = PerceptronLoss{}, .solver = Solver::PassiveAggressive, .iterations = 20}},
    {"adagrad", {.solver = Solver::Adagrad, .c1 = 0.01, .iterations = 20, .batch = 7}},
    {"adam", {.loss = PerceptronLoss{}, .solver = Solver::Adam, .c2 = 0.01, .iterations = 20}},
};

// Trains while keeping a file after each iteration, and then goes on from each of them.
Index resume_everywhere(const Data& data, bool watched, TrainOptions options, Index stride = 1) {
  const TemporaryFolder folder;
  const auto file = [&](Index iteration) { return folder / std::to_string(iteration); };
  Index last = 0;
  const Trained whole = train_on(data, watched, options, [&](const TrainProgress& p) {
    save_checkpoint(p.state(), file(last = p.iteration));
    return true;
  });
  for (Index iteration = 1; iteration <= last; iteration += stride) {
    CAPTURE(iteration);
    const TrainState kept = load_checkpoint(file(iteration));
    options.resume = &kept;
    options.threads = static_cast<int>(1 + iteration % 3);
    Index next = iteration;
    check_same(whole, train_on(data, watched, options,
                               [&](const TrainProgress& p) { return p.iteration == ++next; }));
  }
  return last;
}

}  // namespace

TEST_CASE("a training goes on from each iteration as if nothing had been", "[learning][resume]") {
  const Data data;
  for (const auto& [name, options] : kCases) {
    CAPTURE(name);
    CHECK(resume_everywhere(data, false, options) == 20);
  }
}

TEST_CASE("what a development set has seen is part of a checkpoint", "[learning][resume]") {
  const Data data;
  for (const auto& [name, options] : kCases) {
    for (const Index patience : {3, 100}) {
      CAPTURE(name, patience);
      TrainOptions watched = options;
      watched.patience = patience;
      const Index last = resume_everywhere(data, true, watched);
      CHECK((patience < 100 || last == 20));
    }
  }
}

TEST_CASE("a training that moves from the dual to L-BFGS goes on from either", "[learning][resume]") {
  const Data data(kPlain, 20);
  const TrainOptions options{.c2 = 1e-6};
  CHECK(train_on(data, false, options).summary.used == Solver::Lbfgs);
  CHECK(resume_everywhere(data, false, options, 7) > 60);
}

TEST_CASE("trainings with weights of pairs or of longer strings of labels go on, too",
          "[learning][resume][pairs]") {
  for (const Index order : {1, 2}) {
    for (const char* templates : {kPlain, kPairs}) {
      const Data data(templates, 60);
      for (const auto& [name, options] : kCases) {
        if (options.solver == Solver::ExponentiatedGradient) continue;
        CAPTURE(name, order);
        TrainOptions o = options;
        o.order = order;
        resume_everywhere(data, true, o, 7);
      }
    }
  }
}

TEST_CASE("a training ends where it would have from its last iteration", "[learning][resume]") {
  const Data data;
  for (const TrainOptions& options :
       {TrainOptions{.c2 = 1}, TrainOptions{.solver = Solver::Lbfgs, .c2 = 1}}) {
    TrainState last;
    const Trained whole = train_on(data, false, options, [&](const TrainProgress& p) {
      last = p.state();
      return true;
    });
    TrainOptions more = options;
    more.resume = &last;
    check_same(whole, train_on(data, false, more, [](const TrainProgress&) {
                 FAIL("there was another iteration");
                 return true;
               }));
  }
}

TEST_CASE("a checkpoint of another training is refused by what differs", "[learning][resume]") {
  const Data data;
  const TrainOptions options{.solver = Solver::Lbfgs, .iterations = 3};
  TrainState kept;
  const auto keep = [&](const TrainProgress& p) {
    kept = p.state();
    return true;
  };
  train_on(data, true, options, keep);
  const auto refused = [&](const Data& on, bool watched, TrainOptions other, const std::string& says) {
    other.resume = &kept;
    CHECK_THROWS_WITH(train_on(on, watched, other), ContainsSubstring("resume: ") && ContainsSubstring(says));
  };
  TrainOptions other = options;
  other.c2 = 2;
  refused(data, true, other, "is of a training with c2 1, this one has 2");
  other = options, other.order = 2;
  refused(data, true, other, "other features");
  other = options, other.iterations = 4;
  refused(data, true, other, "iterations 3, this one has 4");
  other = options, other.seed = 7;
  refused(data, true, other, "seed 1, this one has 7");
  other = options, other.solver = Solver::Auto;
  refused(data, true, other, "solver lbfgs, this one has auto");
  other = options, other.all_features = true;
  refused(data, true, other, "other features");
  refused(data, false, options, "other development set");
  refused(Data(kPlain, 121), true, options, "other training data");
  refused(Data(kPairs), true, options, "other training data");
  const Model first = train_on(data, false, {.loss = PerceptronLoss{}}).model;
  other = options, other.init = &first;
  refused(data, true, other, "other first weights");
  other = options, other.threads = 3, other.resume = &kept;
  CHECK(train_on(data, true, other).summary.iterations == 3);
}

TEST_CASE("states that contradict themselves are refused", "[learning][resume]") {
  const Data data;
  for (const auto& [name, options] : kCases) {
    CAPTURE(name);
    TrainState kept;
    train_on(data, true, options, [&](const TrainProgress& p) {
      kept = p.state();
      return p.iteration < 5;
    });
    const auto refused = [&, given = options](auto damage) {
      TrainState bad = kept;
      damage(bad);
      TrainOptions more = given;
      more.resume = &bad;
      CHECK_THROWS_AS(train_on(data, true, more), InputError);
    };
    refused([](TrainState& s) { s.watch.best_weights.pop_back(); });
    refused([](TrainState& s) {
      const bool online = std::holds_alternative<OnlineState>(s.learner);
      s.learner = online ? decltype(s.learner)(ExponentiatedGradientState{}) : OnlineState{};
    });
    refused([](TrainState& s) {
      if (auto* lbfgs = std::get_if<LbfgsState>(&s.learner)) lbfgs->history[0].step.pop_back();
      if (auto* dual = std::get_if<ExponentiatedGradientState>(&s.learner)) dual->order[0] = dual->order[1];
      if (auto* online = std::get_if<OnlineState>(&s.learner)) online->order[2] = -1;
      if (auto* batches = std::get_if<MinibatchState>(&s.learner)) batches->order[2] = -1;
    });
    refused([](TrainState& s) {
      if (auto* lbfgs = std::get_if<LbfgsState>(&s.learner)) lbfgs->x.push_back(0);
      if (auto* dual = std::get_if<ExponentiatedGradientState>(&s.learner)) dual->theta.clear();
      if (auto* online = std::get_if<OnlineState>(&s.learner)) online->weighted.push_back(0);
      if (auto* batches = std::get_if<MinibatchState>(&s.learner)) batches->steps.squares.pop_back();
    });
  }
}

TEST_CASE("damage to a checkpoint is found", "[io][resume]") {
  const Data data(kPlain, 3);
  const TemporaryFolder folder;
  const std::string path = folder / "checkpoint";
  train_on(data, false, {.loss = PerceptronLoss{}, .iterations = 1}, [&](const TrainProgress& p) {
    save_checkpoint(p.state(), path);
    return true;
  });
  const ArrayFile whole = ArrayFile::open(path, kCheckpointFormat);
  CHECK(whole.text("fingerprint").find("loss\tperceptron\n") != std::string_view::npos);
  std::vector<char> bytes(std::filesystem::file_size(path));
  std::FILE* in = std::fopen(path.c_str(), "rb");
  REQUIRE(std::fread(bytes.data(), 1, bytes.size(), in) == bytes.size());
  std::fclose(in);
  const auto refused = [&](const std::vector<char>& damaged) {
    const std::string copy = folder / "copy";
    write_file(copy, std::as_bytes(std::span(damaged)));
    CHECK_THROWS_WITH(load_checkpoint(copy),
                      ContainsSubstring("copy") && ContainsSubstring("leave --resume out"));
  };
  Rng rng(8);
  for (int round = 0; round < 60; ++round) {
    std::vector<char> damaged = bytes;
    damaged[rng.below(damaged.size())] ^= static_cast<char>(1 << rng.below(8));
    refused(damaged);
    damaged = bytes;
    damaged.resize(rng.below(damaged.size()));
    refused(damaged);
  }
  save_model(data.examples.model, folder / "copy");
  CHECK_THROWS_AS(load_checkpoint(folder / "copy"), ModelError);
  CHECK_THROWS_AS(load_checkpoint(folder / "none"), IoError);
}

TEST_CASE("three runs on 1, 2, 3 and 8 threads make one model, whatever the trainer", "[learning][threads]") {
  const Data data(kPlain, 400);
  for (const auto& [name, options] : kCases) {
    CAPTURE(name);
    std::vector<std::byte> first;
    for (int run = 0; run < 3; ++run) {
      for (const int threads : {1, 2, 3, 8}) {
        TrainOptions o = options;
        o.iterations = 8, o.threads = threads;
        const std::vector<std::byte> bytes = model_bytes(train_on(data, true, o).model);
        if (first.empty()) first = bytes;
        REQUIRE(bytes == first);
      }
    }
  }
}
