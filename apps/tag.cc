#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "commands.h"
#include "terminal.h"
#include "thalweg/core/error.h"
#include "thalweg/core/parallel.h"
#include "thalweg/evaluation/spans.h"
#include "thalweg/io/corpus_reader.h"
#include "thalweg/io/matrix_reader.h"
#include "thalweg/pipeline/spans.h"
#include "thalweg/pipeline/tagger.h"

namespace thalweg::app {
namespace {

struct Options {
  std::string file = "-", model, vectors;
  Index nbest = 0;
  bool marginals = false, energy = false, keep_going = false, pretty = false, spans = false;
  int threads = 1;
  Format format = Format::Columns;
};

constexpr Index kBatch = 256;  // sentences read at a time
constexpr Index kPiece = 8;    // sentences that a thread takes

// A block of the input and what becomes of it.
struct Block {
  CorpusReader::Block in;
  bool bad = false;
  bool forbidden = false;      // the model's constraints leave no labelling
  Index number = 0;            // of the sentence in the file, from 1
  std::vector<float> vectors;  // [tokens x columns], or empty
  std::string out;

  // One that is bad or without tokens goes out as it came.
  void copy() {
    for (const CorpusReader::Line& line : in.lines()) (out += line.text) += line.ending;
  }
  bool allowed(double energy) {
    forbidden = !(energy < kInfinity<double>);
    return !forbidden;
  }
};

// Writes one labelling of a block: its lines with a column (or two) more.
void write_columns(Block& block, const Tagger& tagger, std::span<const Label> labels,
                   const Decoder* marginals, Format format) {
  Index t = 0;
  for (const CorpusReader::Line& line : block.in.lines()) {
    block.out += line.text;
    if (line.token >= 0) {
      const bool tabs = format == Format::Attributes || line.text.find('\t') != line.text.npos;
      const char separator = tabs ? '\t' : ' ';
      (block.out += separator) += tagger.label(labels[t]);
      if (marginals) {
        fmt::format_to(std::back_inserter(block.out), "{}{:.6f}", separator,
                       marginals->probability(t, labels[t]));
      }
      ++t;
    }
    block.out += line.ending;
  }
}

// Span types of a model in the order of its labels: each has a colour of its own.
std::size_t type_number(const Tagger& tagger, std::string_view type) {
  std::vector<std::string_view> types;
  for (Label l = 0; l < static_cast<Label>(tagger.labels()); ++l) {
    const std::string_view label = tagger.label(l), one = label.substr(label.find('-') + 1);
    if (label != "O" && std::find(types.begin(), types.end(), one) == types.end()) types.push_back(one);
  }
  return static_cast<std::size_t>(std::find(types.begin(), types.end(), type) - types.begin());
}

// The sentence on one line, its spans in colour (or brackets).
void write_pretty(Block& block, const Tagger& tagger, std::span<const Label> labels) {
  std::vector<std::string_view> names;
  for (Label l : labels) names.push_back(tagger.label(l));
  const Sentence& sentence = block.in.sentence();
  const bool coloured = colours(STDOUT_FILENO);
  Index at = 0;
  auto words = [&](Index end) {
    std::string text;
    for (; at < end; ++at) text.append(text.empty() ? "" : " ").append(sentence.cell(at, 0));
    return text;
  };
  std::string line;
  for (const Span& span : spans(names)) {
    if (const std::string before = words(span.begin); !before.empty()) line += before + ' ';
    const std::string inside = words(span.end);
    line += coloured
                ? paint(inside, type_number(tagger, span.type)) + fmt::format("\x1b[2m/{}\x1b[0m ", span.type)
                : fmt::format("[{} {}] ", span.type, inside);
  }
  line += words(sentence.size());
  while (!line.empty() && line.back() == ' ') line.pop_back();
  block.out += line + "\n";
}

// An object a line for every span; attribute files have no text.
void write_spans(Block& block, std::span<const ProbableSpan> found, Format format) {
  const Sentence& sentence = block.in.sentence();
  for (const ProbableSpan& s : found) {
    nlohmann::ordered_json line{
        {"sentence", block.number}, {"begin", s.begin}, {"end", s.end}, {"type", s.type}};
    if (format == Format::Columns) {
      std::string text;
      for (Index t = s.begin; t < s.end; ++t)
        text.append(text.empty() ? "" : " ").append(sentence.cell(t, 0));
      line["text"] = text;
    }
    line["probability"] = std::round(s.probability * 1e6) / 1e6;
    block.out += line.dump() + "\n";
  }
}

void end_sentence(Block& block) {  // copies of a sentence must not run together
  if (!block.out.ends_with('\n')) block.out += '\n';
  const auto lines = block.in.lines();
  const bool closed = !lines.empty() && lines.back().token < 0;
  if (!closed) block.out += '\n';
}

// Labels a sentence as asked for; `block.forbidden` where there is no labelling.
void label(Block& block, const Tagger& tagger, Decoder& decoder, SpanDecoder& spans,
           std::vector<Minimum>& best, const Options& o) {
  const Index columns = tagger.model().vector_columns;
  const Sentence& sentence = block.in.sentence();
  decoder.read(sentence, columns == 0 ? Table<const float>{}
                                      : Table<const float>{block.vectors.data(), sentence.size(), columns});
  if (o.spans) {
    const auto found = spans.decode(decoder);
    return block.allowed(decoder.energy()) ? write_spans(block, found, o.format) : void();
  }
  const double free_energy = o.energy || o.marginals ? decoder.free_energy() : 0;
  if (!block.allowed(free_energy)) return;
  if (o.marginals) decoder.marginals();
  const Decoder* const marginals = o.marginals ? &decoder : nullptr;
  if (o.nbest > 0) {
    decoder.k_lowest(o.nbest, best);
    if (!block.allowed(best.empty() ? kInfinity<double> : 0)) return;
    for (std::size_t r = 0; r < best.size(); ++r) {
      fmt::format_to(std::back_inserter(block.out), "# rank {} energy {:.6f}\n", r + 1, best[r].energy);
      write_columns(block, tagger, best[r].labels, marginals, o.format);
      if (r + 1 < best.size()) end_sentence(block);
    }
    return;
  }
  const auto labels = decoder.minimize();
  if (!block.allowed(decoder.energy())) return;
  if (o.pretty) return write_pretty(block, tagger, labels);
  if (o.energy) {
    fmt::format_to(std::back_inserter(block.out), "# energy {:.6f} log-probability {:.6f}\n",
                   decoder.energy(), std::min(0.0, free_energy - decoder.energy()));
  }
  write_columns(block, tagger, labels, marginals, o.format);
}

void tag(Block& block, const Tagger& tagger, Decoder& decoder, SpanDecoder& spans, std::vector<Minimum>& best,
         const Options& o) {
  block.out.clear();
  block.forbidden = false;
  const bool plain = block.bad || block.in.sentence().size() == 0;
  if (!plain) label(block, tagger, decoder, spans, best, o);
  if ((plain || block.forbidden) && !o.pretty && !o.spans) block.copy();
}

// The rows that belong to the block's tokens.
void read_vectors(MatrixReader& reader, Block& block) {
  const Index tokens = block.in.sentence().size();
  const auto columns = static_cast<std::size_t>(reader.columns());
  block.vectors.resize(static_cast<std::size_t>(tokens) * columns);
  for (Index t = 0; t < tokens; ++t) {
    if (reader.next(std::span(block.vectors).subspan(static_cast<std::size_t>(t) * columns, columns)))
      continue;
    throw InputError(reader.name(),
                     fmt::format("it has {} rows, and there are more tokens", reader.rows_read()),
                     "give a row for every token");
  }
}

void check_end(MatrixReader& reader) {
  std::vector<float> row(static_cast<std::size_t>(reader.columns()));
  if (!reader.next(row)) return;
  throw InputError(reader.name(), fmt::format("it has more rows than the {} tokens", reader.rows_read() - 1),
                   "give a row for every token, and none for blank lines");
}

std::optional<MatrixReader> open_vectors(const Options& o, const Model& model) {
  if (o.vectors.empty() != (model.vector_columns == 0)) {
    throw OptionError("vectors",
                      o.vectors.empty()
                          ? fmt::format("the model reads {} numbers a token", model.vector_columns)
                          : std::string("the model was trained without"),
                      o.vectors.empty() ? "give the file" : "leave the option out");
  }
  if (o.vectors.empty()) return {};
  MatrixReader reader(o.vectors);
  if (reader.columns() != model.vector_columns) {
    throw InputError(
        o.vectors,
        fmt::format("{} numbers a row, the model reads {}", reader.columns(), model.vector_columns),
        "make the vectors as those of the training");
  }
  return reader;
}

// Reads blocks in batches and writes them out in their order.
class Stream {
 public:
  struct Batch {
    std::vector<Block> blocks = std::vector<Block>(kBatch);
    Index filled = 0;
  };

  Stream(const Options& options, const Tagger& tagger)
      : options_(options),
        tagger_(tagger),
        reader_(options.file, options.format),
        vectors_(open_vectors(options, tagger.model())) {}

  // Up to kBatch blocks; fewer at the end or at a failure, before which all still goes out.
  void read(Batch& batch) {
    for (batch.filled = 0; batch.filled < kBatch; ++batch.filled) {
      Block& block = batch.blocks[static_cast<std::size_t>(batch.filled)];
      try {
        block.bad = false;
        more_ = more_ && reader_.next_block();
        if (more_) check_columns(reader_, tagger_, options_.format);
      } catch (const InputError& error) {
        options_.keep_going ? report(error) : fail();
        block.bad = true;
      } catch (const IoError&) {
        fail();
      }
      if (!more_) return;
      sentences_ += block.bad || reader_.sentence().size() > 0;
      block.number = sentences_;
      reader_.take(block.in);
      if (vectors_ && !take_vectors(block)) return;
    }
  }

  void write(const Batch& batch) {
    for (Index i = 0; i < batch.filled && !stopped_; ++i) {
      const Block& block = batch.blocks[static_cast<std::size_t>(i)];
      if (block.forbidden) refuse(block);
      if (!stopped_) out_ << block.out;
    }
    if (options_.file == "-" && is_terminal(STDIN_FILENO)) out_.flush();
  }

  void finish() {
    out_.flush();
    if (failure_) std::rethrow_exception(failure_);
    if (vectors_) check_end(*vectors_);
    if (bad_)
      throw InputError(reader_.text().name(), "some sentences were passed through untagged", "see above");
  }

 private:
  void report(const InputError& error) {
    fmt::print(stderr, "thalweg: {}\n", error.what());
    bad_ = true;
  }
  void fail() { failure_ = std::current_exception(), more_ = false; }
  // What is written stands before what is read: whatever failed there is of no interest any more.
  void refuse(const Block& block) {
    const InputError error(place(reader_.text().name(), block.in.sentence().note().line),
                           "the model's constraints leave no labelling for this sentence",
                           "see `thalweg inspect` for what is forbidden");
    if (options_.keep_going) return report(error);
    failure_ = std::make_exception_ptr(error), more_ = false, stopped_ = true;
  }
  bool take_vectors(Block& block) {
    try {
      read_vectors(*vectors_, block);
    } catch (const Error&) {
      fail();
    }
    return more_;
  }

  const Options& options_;
  const Tagger& tagger_;
  CorpusReader reader_;
  std::optional<MatrixReader> vectors_;
  Output out_;
  bool more_ = true, bad_ = false, stopped_ = false;
  Index sentences_ = 0;
  std::exception_ptr failure_;
};

void run(const Options& o) {
  if (o.threads < 1)
    throw OptionError("threads", fmt::format("is {}, must be >= 1", o.threads), "1 is the default");
  if (o.nbest < 0) throw OptionError("nbest", fmt::format("is {}, must be >= 0", o.nbest), "0 turns it off");
  const Tagger tagger = Tagger::load(o.model);
  check_format(tagger, o.format);
  std::vector<Decoder> decoders;
  std::vector<SpanDecoder> spans;
  for (int slot = 0; slot < o.threads; ++slot) decoders.emplace_back(tagger), spans.emplace_back(tagger);
  std::vector<std::vector<Minimum>> best(decoders.size());

  Stream stream(o, tagger);
  Stream::Batch done, current, next;
  // With more threads than one, the first piece of work is to write the batch before and read the one behind.
  const Index ahead = o.threads > 1;
  for (stream.read(current); current.filled > 0; std::swap(current, next)) {
    parallel_chunks(ahead + chunk_count(current.filled, kPiece), 1, o.threads, [&](Index i, Index, int slot) {
      if (i < ahead) return stream.write(done), stream.read(next);
      const Index begin = (i - ahead) * kPiece, end = std::min(begin + kPiece, current.filled);
      for (Index b = begin; b < end; ++b)
        tag(current.blocks[b], tagger, decoders[slot], spans[slot], best[slot], o);
    });
    if (ahead) {
      std::swap(done, current);
    } else {
      stream.write(current), stream.read(next);
    }
  }
  stream.write(done);
  stream.finish();
}

constexpr const char* kHelp = R"(Label sentences with a model.

The input lines come out as they were, with one further column: the label. Memory does not grow with the file.

Examples:
  thalweg tag test.conll --model chunks.model > tagged.conll
  thalweg tag --model chunks.model --marginals --energy < words.txt
  thalweg tag test.conll --model names.model --spans > spans.jsonl)";

}  // namespace

void check_format(const Tagger& tagger, Format format) {
  if (tagger.model().featurizer.has_templates() != (format == Format::Attributes)) return;
  throw OptionError("format",
                    "does not fit the model, which reads " +
                        std::string(format == Format::Attributes ? "columns" : "attributes"),
                    "leave --format as in training");
}

void check_columns(const CorpusReader& reader, const Tagger& tagger, Format format) {
  const Featurizer& featurizer = tagger.model().featurizer;
  if (reader.sentence().size() == 0 || !featurizer.has_templates()) return;
  const Index have = reader.sentence().columns(0), need = featurizer.templates().columns();
  if (have >= need) return;
  throw InputError(
      place(reader.text().name(), reader.first_line()),
      fmt::format("{} column{}, but the model reads {}", have, have == 1 ? "" : "s", need),
      format == Format::Columns ? "give it the columns it was trained on" : "use --format columns");
}

void add_tag(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("tag", kHelp);
  app->add_option("FILE", o->file,
                  "Sentences in the columns of the training data (the label column may be there or not); "
                  "gzip is read as it is, - is standard input")
      ->capture_default_str();
  app->add_option("--model,-m", o->model, "A model from `thalweg train`")->required();
  auto* nbest = app->add_option("--nbest", o->nbest,
                                "Each sentence with its K best labellings, each headed `# rank r "
                                "energy E`; 0 for the best without a head")
                    ->capture_default_str();
  app->add_flag("--marginals", o->marginals, "One column more: the probability of the label");
  app->add_flag("--energy", o->energy, "A line `# energy E log-probability P` before each sentence")
      ->excludes(nbest);
  app->add_flag(
         "--spans", o->spans,
         "Instead of the lines: a JSON object a line for each span, with its sentence (from 1), begin and "
         "end (tokens from 0, end excluded), type, text, and its probability as a whole")
      ->excludes(nbest)
      ->excludes("--marginals")
      ->excludes("--energy");
  auto* keep_going = app->add_flag("--keep-going", o->keep_going,
                                   "Report a bad sentence, pass it through untagged and go on");
  app->add_option("--vectors", o->vectors,
                  "A matrix with a row for every token, .npy or text, for models trained with one; read in "
                  "step with the tokens")
      ->excludes(keep_going);
  app->add_flag("--pretty", o->pretty, "For people: a sentence a line, its spans in colour")
      ->excludes(nbest)
      ->excludes("--spans");
  app->add_option("--threads", o->threads, "Threads, >= 1; the output is the same for any number")
      ->capture_default_str();
  add_format(*app, o->format);
  app->callback([o] { run(*o); });
}

}  // namespace thalweg::app
