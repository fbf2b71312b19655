#include "thalweg/pipeline/train.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>

#include "checkpoints.h"
#include "commands.h"
#include "letters.h"
#include "loss_options.h"
#include "model_choice.h"
#include "terminal.h"
#include "thalweg/core/error.h"
#include "thalweg/io/atomic_file.h"
#include "thalweg/io/letters_reader.h"
#include "thalweg/io/model_file.h"
#include "training_log.h"

namespace thalweg::app {
namespace {

struct Options {
  std::string train, model, templates, dev, init, vectors, dev_vectors, checkpoint;
  std::vector<std::string> gazetteers, lower_gazetteers;  // NAME=FILE
  std::string constraints = "none", class_weights;
  bool skip_illegal = false, partial = false, instance_weights = false;
  std::vector<std::string> tune;
  std::vector<double> tune_range;
  LossOptions loss;
  Solver solver = Solver::Auto;
  std::optional<double> c1, c2, lambda;
  std::optional<double> gap;
  double aggressiveness = 1, rate = 0;
  Index iterations = 0, check_gradient = 0, batch = 64, min_count = 1, patience = 20, memory = 6, order = 1;
  std::string folds;  // a number, or those of letters to train on
  double checkpoint_every = 60;
  bool letters = false, all_features = false, json = false, resume = false;
  Boundary boundary = Boundary::Marks;
  Encoding encoding = Encoding::None;
  Format format = Format::Columns;
  int threads = 1, hash_bits = 0;
  WeightType precision = WeightType::F32;
  std::uint64_t seed = 1;
};

std::string read_text(const std::string& path) {
  TextReader reader(path);
  std::string text;
  while (reader.next()) text.append(reader.line()).append("\n");
  return text;
}

// From NAME=FILE.
std::shared_ptr<const Gazetteer> read_gazetteer(const std::string& option, bool lower) {
  const std::size_t equals = option.find('=');
  if (equals == option.npos)
    throw OptionError("gazetteer", fmt::format("'{}' is not NAME=FILE", option), "as in towns=towns.txt");
  const std::string path = option.substr(equals + 1);
  return std::make_shared<const Gazetteer>(
      Gazetteer::parse(option.substr(0, equals), read_text(path), lower, path));
}

ConstraintOptions constraint_options(const Options& o) {
  using Source = ConstraintOptions::Source;
  if (o.constraints == "none") return {};
  if (o.constraints == "auto") return {.source = Source::Spans, .skip_illegal = o.skip_illegal};
  return {Source::Listed, read_text(o.constraints), o.constraints, o.skip_illegal};
}

TrainOptions train_options(const Options& o, double sentences) {
  TrainOptions t;
  t.loss = make_loss(o.loss, o.seed);
  t.solver = o.solver;
  t.c1 = o.c1.value_or(0);
  t.c2 = o.c2.value_or(o.c1 && !o.lambda ? 0 : 1);
  // (1/n) sum_i loss_i + (lambda/2) |w|^2, times n.
  if (o.lambda) t.c2 = sentences * *o.lambda / 2;
  t.gap = o.gap, t.aggressiveness = o.aggressiveness, t.iterations = o.iterations, t.patience = o.patience,
  t.memory = o.memory, t.check_gradient = o.check_gradient, t.batch = o.batch, t.rate = o.rate;
  t.all_features = o.all_features || o.letters, t.order = o.order;
  t.threads = o.threads, t.seed = o.seed;
  return t;
}

// Where an unfinished training is kept; nowhere beside a model that is no file.
std::string checkpoint_path(const Options& o) {
  if (!o.checkpoint.empty()) return o.checkpoint;
  const bool file = !std::filesystem::exists(o.model) || std::filesystem::is_regular_file(o.model);
  if (!file && o.resume)
    throw OptionError("resume", "a model that is no file has no checkpoint beside it",
                      "name it: --checkpoint");
  return file ? o.model + ".checkpoint" : "";
}

// The state to go on from, if that is wanted.
std::optional<TrainState> take_up(const Options& o, const Checkpoints& checkpoints) {
  if (o.resume) return checkpoints.load();
  checkpoints.mention();
  return std::nullopt;
}

// What was learnt is not lost for a weight that is too large.
void save(const Model& model, const Options& o) try {
  save_model(packed(model, o.precision), o.model);
} catch (const OptionError& error) {
  save_model(model, o.model);
  fmt::print(stderr, "{}: saved as f32, as {}\n", o.model, error.problem());
}

FeatureOptions feature_options(const Options& o) {
  FeatureOptions features;
  features.format = o.format, features.boundary = o.boundary, features.encoding = o.encoding,
  features.min_count = o.min_count;
  if (!o.templates.empty())
    features.templates = read_text(o.templates), features.templates_name = o.templates;
  features.vectors = o.vectors, features.hash_bits = o.hash_bits;
  features.constraints = constraint_options(o), features.partial = o.partial;
  features.instance_weights = o.instance_weights;
  if (!o.class_weights.empty())
    features.class_weights = read_text(o.class_weights), features.class_weights_name = o.class_weights;
  for (const auto& one : o.gazetteers) features.gazetteers.push_back(read_gazetteer(one, false));
  for (const auto& one : o.lower_gazetteers) features.gazetteers.push_back(read_gazetteer(one, true));
  return features;
}

TuneOptions tune_options(const Options& o) {
  TuneOptions t;
  t.c1 = std::count(o.tune.begin(), o.tune.end(), "c1") > 0;
  t.c2 = std::count(o.tune.begin(), o.tune.end(), "c2") > 0;
  if (o.tune_range.size() == 2) t.lowest = o.tune_range[0], t.highest = o.tune_range[1];
  return t;
}

// Parts of cross-validation.
Index fold_count(const Options& o) { return o.letters ? 0 : parse_fold_count(o.folds); }

void check_together(const Options& o) {
  const Index folds = fold_count(o);
  if (o.letters && (!o.dev.empty() || !o.tune.empty()))
    throw OptionError("format", "letters has folds and no development set", "leave --dev and --tune out");
  if (o.model.empty() && folds == 0 && o.tune.empty())
    throw OptionError("model", "is missing", "say where the model goes, or give --folds to validate only");
  if (!o.tune.empty() && o.dev.empty() && folds == 0)
    throw OptionError("tune", "has nothing to judge by", "give --dev FILE or --folds K");
  if (!o.dev.empty() && o.vectors.empty() != o.dev_vectors.empty())
    throw OptionError("dev-vectors", "goes with --vectors and --dev", "give both files, or neither");
}

void take(const Tuned& tuned, const Options& o, TrainOptions& options) {
  print(tuned, o.json);
  options.c1 = tuned.best().c1, options.c2 = tuned.best().c2;
}

using Time = std::chrono::steady_clock::time_point;

void train_and_save(const Options& o, Examples& examples, const DevelopmentSet* dev, TrainOptions options,
                    Time start) {
  fmt::print(stderr, "{} sentences, {} tokens, {} labels, {} attributes\n", examples.data.size(),
             examples.data.positions(), examples.model.labels.size(), examples.model.attributes.size());
  if (examples.skipped > 0)
    fmt::print(
        stderr, "{} the constraints and {} left out\n",
        examples.skipped == 1 ? "1 sentence breaks" : fmt::format("{} sentences break", examples.skipped),
        examples.skipped == 1 ? "was" : "were");
  Checkpoints checkpoints(checkpoint_path(o), o.checkpoint_every);
  const std::optional<TrainState> from = take_up(o, checkpoints);
  if (from) options.resume = &*from;

  TrainingLog log(o.json, o.loss.loss == "perceptron");
  const Interruption interruption;
  bool kept = false;
  TrainSummary summary =
      train_model(examples.model, examples.data, dev, options, [&](const TrainProgress& p) {
        log.iteration(p);
        const bool interrupted = Interruption::signal() != 0;
        if (interrupted) kept = checkpoints.keep(p);
        if (!interrupted) checkpoints.iteration(p);
        return !interrupted;
      });
  log.end();
  if (o.check_gradient > 0)
    fmt::print(stderr, "gradient checked: the largest error is {:.2g}\n", summary.gradient_error);
  if (summary.stopped == "asked to") summary.stopped = "interrupted";
  const Model model = pruned(examples.model);
  save(model, o);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print(stderr, "stopped: {}; {} iterations, {} evaluations, {}\n", summary.stopped, summary.iterations,
             summary.evaluations, duration(seconds));
  if (summary.dev_f1 >= 0) {
    fmt::print(stderr, "kept iteration {}: F1 {:.2f} on the development set\n", summary.best_iteration,
               summary.dev_f1);
  }
  fmt::print(stderr, "{}: {} of {} weights are not 0\n", o.model, model.features(), summary.features);
  if (o.json) print_summary(summary, seconds);
  if (summary.stopped != "interrupted") return checkpoints.remove();
  if (kept) fmt::print(stderr, "{}: the same command with --resume goes on from here\n", checkpoints.path());
  throw Interrupted{Interruption::signal()};
}

void run_on_folds(const Options& o, const FeatureOptions& features, const Model* init, Time start) {
  const Corpus corpus = read_corpus(o.train, o.format, o.instance_weights);
  TrainOptions options = train_options(o, corpus.total_weight());
  options.init = init;
  const Index count = fold_count(o);
  const CrossValidationOptions how{.folds = count, .seed = o.seed};
  if (o.tune.empty()) {
    print(cross_validate(corpus, features, options, how, [&](const FoldScore& f) { report(f, count); }),
          o.json);
  } else {
    const std::vector<Index> fold_of = assign_folds(corpus.size(), how);
    std::vector<Fold> folds;
    for (Index k = 0; k < count; ++k) folds.push_back(make_fold(corpus, features, fold_of, k));
    take(tune(folds, options, tune_options(o), [](const Trial& t) { report(t); }), o, options);
  }
  if (o.model.empty()) return;
  Examples examples = learn_examples(corpus, features);
  train_and_save(o, examples, nullptr, options, start);
}

void run(const Options& o) {
  const Time start = std::chrono::steady_clock::now();
  check_together(o);
  const FeatureOptions features = feature_options(o);
  // Paths that cannot be written show now, not after the training.
  for (const std::string& path : {o.model, o.model.empty() ? "" : checkpoint_path(o)})
    if (!path.empty()) const AtomicFile probe(path);
  std::optional<Model> init;
  if (!o.init.empty()) init = load_model(o.init);
  if (fold_count(o) > 0) return run_on_folds(o, features, init ? &*init : nullptr, start);

  Examples examples = o.letters
                          ? learn_examples(read_letters(o.train, parse_folds("folds", o.folds)), features)
                          : read_examples(o.train, features);
  TrainOptions options = train_options(o, examples.data.total_weight());
  if (init) options.init = &*init;
  std::optional<DevelopmentSet> dev;
  if (!o.dev.empty()) dev = read_development_set(o.dev, o.format, examples.model, o.dev_vectors);
  if (!o.tune.empty()) {
    take(tune(examples, *dev, options, tune_options(o), [](const Trial& t) { report(t); }), o, options);
  }
  if (!o.model.empty()) train_and_save(o, examples, dev ? &*dev : nullptr, options, start);
}

constexpr const char* kHelp = R"(Learn to label sequences from examples.

Minimises  sum of losses + c2 |w|^2 + c1 |w|_1  (CRFsuite's convention; logarithms are natural).

Examples:
  thalweg train train.conll --dev dev.conll --model chunks.model
  thalweg train train.conll.gz --templates tutorial.tpl --c1 1 --model small.model
  thalweg train train.conll --dev dev.conll --tune c1,c2 --model tuned.model)";

}  // namespace

void add_train(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("train", kHelp);
  app->add_option("TRAIN", o->train,
                  "Labelled sentences: one token a line, the label last, a blank line after each "
                  "sentence; gzip is read as it is, - is standard input")
      ->required();
  app->add_option("--model,-m", o->model,
                  "Where the model goes; written whole or not at all. Only --folds and --tune do without: "
                  "they then show what they find and train no last model");
  app->add_option(
      "--templates,-t", o->templates,
      "Attribute templates in the language of CRF++ and Wapiti, B templates that depend on "
      "the input included (B01:%x[0,1]); macros: %x %lower %shape %prefix %suffix, and %t (test) and "
      "%m (match) with a pattern; without: a built-in set (word, neighbours, case, shape, "
      "affixes, other columns)");
  app->add_option("--gazetteer", o->gazetteers,
                  "NAME=FILE, a word list as a source of attributes, one entry a line, of one word or more; "
                  "templates ask it by %gazetteer[row,column,NAME], which is B, I or O (the longest entry "
                  "begins there, goes on, or there is none); the built-in ones ask about rows -1 to 1. The "
                  "model holds the list. May come several times");
  app->add_option("--gazetteer-lower", o->lower_gazetteers, "The same, compared in lower case");
  app->add_option("--vectors", o->vectors,
                  "A matrix with a row for every token of TRAIN, each number a feature of its own for every "
                  "label: .npy (float32 or float64, C order) or text, one row a line. Scale columns to about "
                  "unit variance; `tag` then wants --vectors, too");
  app->add_option("--dev-vectors", o->dev_vectors, "The same for --dev");
  app->add_option(
         "--constraints", o->constraints,
         "Which labels may follow which, in training and in tagging. auto: what BIO or BIOES labels "
         "allow (no I-NP behind O); FILE: a line for each forbidden transition, the label before and "
         "the one behind, <s> and </s> for start and end, # for comments; none: anything")
      ->option_text("none|auto|FILE [none]");
  app->add_option("--illegal", o->skip_illegal,
                  "Training sentences that break the constraints: error stops at the first; skip leaves them "
                  "out and says how many")
      ->transform(CLI::CheckedTransformer(std::map<std::string, bool>{{"error", false}, {"skip", true}}))
      ->default_str("error")
      ->option_text("error|skip [error]");
  app->add_flag(
      "--partial", o->partial,
      "A token's label may be left open: A|B|C is one of these, ? is any; the loss then asks for any "
      "labelling that fits (Tsuboi et al. 2008). Labels with | or called ? cannot be written then. "
      "Not for eg");
  app->add_flag(
      "--instance-weights", o->instance_weights,
      "Read `# weight W` lines of TRAIN, each above a sentence's first token: its loss counts W times, "
      "as W copies would; W finite and > 0, 1 without a line. A perceptron's steps are W times as long, "
      "and for pa the bound on them is");
  app->add_option(
      "--class-weights", o->class_weights,
      "FILE with a label and its weight W > 0 a line; 1 for others. The model's odds of the label at "
      "a token are W times what the data tell (logit adjustment, Menon et al. 2021): W > 1 buys "
      "recall for precision. To weigh spans, weigh B- labels alone. With --encode, of encoded labels");
  app->add_option("--loss", o->loss.loss,
                  fmt::format("likelihood (a conditional random field, Lafferty et al. 2001), perceptron "
                              "(averaged, Collins 2002), or another of: {}",
                              fmt::join(loss_names(), ", ")))
      ->option_text("NAME [likelihood]");
  add_loss_options(*app, o->loss);
  app->add_option(
         "--solver", o->solver,
         "auto; eg (online exponentiated gradient, Collins et al. 2008: few passes, a certified gap; c2 > 0 "
         "and c1 = 0); lbfgs (OWL-QN where c1 > 0); for the perceptron averaged, or pa "
         "(passive-aggressive steps, Crammer et al. 2006); for any loss adagrad (Duchi et al. 2011) or adam "
         "(Kingma and Ba 2015) on --batch sentences at a time; for structured-hinge, with a certified gap, "
         "bcfw (pairwise steps of "
         "block-coordinate Frank-Wolfe, Lacoste-Julien et al. 2013), cutting-plane (Joachims et al. 2009) or "
         "subgradient. auto takes eg, bcfw and averaged where they can, else lbfgs or adagrad")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, Solver>{{"auto", Solver::Auto},
                                                                {"eg", Solver::ExponentiatedGradient},
                                                                {"lbfgs", Solver::Lbfgs},
                                                                {"averaged", Solver::Averaged},
                                                                {"pa", Solver::PassiveAggressive},
                                                                {"adagrad", Solver::Adagrad},
                                                                {"adam", Solver::Adam},
                                                                {"bcfw", Solver::BlockFrankWolfe},
                                                                {"cutting-plane", Solver::CuttingPlane},
                                                                {"subgradient", Solver::Subgradient}}))
      ->default_str("auto")
      ->option_text("auto|eg|lbfgs|averaged|pa|adagrad|adam|bcfw|cutting-plane|subgradient [auto]");
  auto* c2 = app->add_option("--c2", o->c2, "Weight of |w|^2, >= 0 [1; 0 when only --c1 is given]");
  app->add_option("--c1", o->c1, "Weight of |w|_1, >= 0; above 0 most weights become exactly 0 [0]");
  auto* lambda = app->add_option("--lambda", o->lambda,
                                 "The same as c2 = sentences * lambda / 2, sentences counted by weight");
  lambda->excludes(c2);
  app->add_option(
         "--tune", o->tune,
         "c1, c2 or c1,c2: choose them by F1 (accuracy without spans) on --dev or over --folds: powers "
         "of ten, c2 first, beyond the range while its end is best, then doubled or halved while that "
         "is better; a table shows all tries, and the model is trained with the best")
      ->delimiter(',')
      ->check(CLI::IsMember({"c1", "c2"}))
      ->excludes(lambda)
      ->option_text("c1|c2|c1,c2");
  app->add_option("--tune-range", o->tune_range, "Powers of ten for --tune, both ends included [0.01,10]")
      ->delimiter(',')
      ->expected(2)
      ->check(CLI::PositiveNumber)
      ->option_text("LOWEST,HIGHEST");
  app->add_option(
      "--gap", o->gap,
      "Stop when the objective is certified to be so near its optimum, >= 0: for eg a share of it "
      "[1e-5]; for bcfw, cutting-plane and subgradient of the objective per sentence [0.001]");
  app->add_option("--aggressiveness", o->aggressiveness, "For pa: the longest step, > 0")
      ->capture_default_str();
  app->add_option("--batch", o->batch, "For adagrad and adam: sentences a step, >= 1")->capture_default_str();
  app->add_option("--rate", o->rate, "For adagrad and adam: how long steps are, > 0; 0 takes .2 and .02")
      ->capture_default_str();
  app->add_option("--iterations,-i", o->iterations,
                  "At most so many; 0 takes 1000 for lbfgs, 60 passes for eg, 10 for the "
                  "perceptron, 30 for adagrad and adam")
      ->capture_default_str();
  app->add_option("--features", o->all_features,
                  "observed: weights for pairs of attribute and label that occur; all: "
                  "for every pair")
      ->transform(CLI::CheckedTransformer(std::map<std::string, bool>{{"observed", false}, {"all", true}}))
      ->default_str("observed")
      ->option_text("observed|all [observed]");
  app->add_option(
         "--order", o->order,
         "How many labels back a transition looks, 1 to 8: above 1 each string of labels seen before a "
         "label has a weight of its own")
      ->capture_default_str();
  app->add_option("--boundary", o->boundary,
                  "What templates read outside of a sentence. marks: _B-1, _B+1 and so on; "
                  "none: nothing, and first and last token carry __BOS__, __EOS__")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Boundary>{{"marks", Boundary::Marks}, {"none", Boundary::None}}))
      ->default_str("marks")
      ->option_text("marks|none [marks]");
  app->add_option(
         "--encode", o->encoding,
         "bioes: labels that come as B-X, I-X and O are learnt as BIOES and come out as BIO again; often "
         "more exact, at twice the labels")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Encoding>{{"none", Encoding::None}, {"bioes", Encoding::Bioes}}))
      ->default_str("none")
      ->option_text("none|bioes [none]");
  app->add_option("--min-count", o->min_count, "Leave out attributes seen less often, >= 1")
      ->capture_default_str();
  app->add_option(
         "--hash-bits", o->hash_bits,
         "N > 0: attributes are hashed into 2^N rows (Weinberger et al. 2009) and the model holds no "
         "names of them: smaller, at the price of some that share a weight; 0 keeps the names, 30 is the "
         "most. Try 22 for a million attributes")
      ->capture_default_str();
  add_precision(*app, o->precision);
  auto* dev = app->add_option("--dev", o->dev, "Labelled sentences to watch: the best iteration is kept");
  app->add_option(
         "--folds", o->folds,
         "K >= 2: cross-validation first. Each of K parts of TRAIN, drawn by --seed, is labelled by a "
         "model of the others, of their words and labels alone; a table shows F1 and accuracy with "
         "their mean and standard deviation. The model is then trained on all. 5 or 10 are usual. With "
         "--format letters the folds of the file to train on, as in 0 or 1-9; all without")
      ->excludes(dev);
  app->add_option("--patience", o->patience,
                  "With --dev: stop after so many iterations with nothing better, >= 1")
      ->capture_default_str();
  app->add_option("--init", o->init, "A model whose weights are the start");
  app->add_option("--checkpoint", o->checkpoint,
                  "Where a training is kept while it goes on, written whole or not at all and removed at its "
                  "end [MODEL.checkpoint]");
  app->add_option(
         "--checkpoint-every", o->checkpoint_every,
         "Seconds between two checkpoints, >= 0; they take a twentieth of the time at most. 0: after "
         "every iteration. Ctrl-C ends a training after the iteration, with a checkpoint")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_flag("--resume", o->resume,
                "Go on from the checkpoint, if there is one; the model is then, bit for bit, that of a "
                "training that was not interrupted. All but --threads must be as it was");
  app->add_option(
         "--check-gradient", o->check_gradient,
         "Before training, compare the gradient with differences of the objective at so many weights; "
         "0 does not")
      ->capture_default_str();
  app->add_option("--memory", o->memory, "Curvature pairs of lbfgs, >= 1")->capture_default_str();
  add_training_format(*app, o->format, o->letters);
  app->add_option("--threads", o->threads,
                  "Threads, >= 1; the model is the same, bit for bit, for any number")
      ->capture_default_str();
  app->add_option("--seed", o->seed, "Order of sentences for the perceptron")->capture_default_str();
  app->add_flag("--json", o->json, "One object an iteration on standard output, the last a summary");
  app->callback([o] { run(*o); });
}

}  // namespace thalweg::app
