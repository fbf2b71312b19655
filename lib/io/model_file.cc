#include "thalweg/io/model_file.h"

#include <algorithm>
#include <cmath>

#include "thalweg/core/error.h"
#include "thalweg/io/matrix_reader.h"

namespace thalweg {
namespace {

constexpr std::uint32_t kMaxVectorColumns = MatrixReader::kMaxColumns;
constexpr const char* kMend = "train the model again, or fetch the file again";

void check(bool holds, const ArrayFile& file, const std::string& array, const char* problem) {
  if (!holds) throw ModelError(file.name(), "array '" + array + "': " + problem, kMend);
}

void add(ArrayFileWriter& writer, const std::string& name, const Vocabulary::Arrays& arrays) {
  writer.add_text(name + "/bytes", {arrays.bytes.data(), arrays.bytes.size()});
  writer.add(name + "/offsets", arrays.offsets);
  writer.add(name + "/slots", arrays.slots);
}

Vocabulary vocabulary(const ArrayFile& file, const std::string& name) {
  const std::string_view bytes = file.text(name + "/bytes");
  return Vocabulary::view(
      {std::span(bytes.data(), bytes.size()), file.array<std::uint32_t>(name + "/offsets"),
       file.array<std::uint64_t>(name + "/slots")},
      file.name() + ": array '" + name + "'");
}

void add(ArrayFileWriter& writer, const std::string& name, const FeatureIndex& index) {
  writer.add(name + "/offsets", index.offsets);
  writer.add(name + "/labels", index.labels);
}

FeatureIndex feature_index(const ArrayFile& file, const std::string& name, Index rows, Index K) {
  const auto offsets = file.array<std::uint32_t>(name + "/offsets", {rows + 1});
  const auto labels = file.array<std::uint32_t>(name + "/labels");
  check(offsets.front() == 0 && offsets.back() == labels.size(), file, name + "/offsets",
        "does not span its labels");
  check(std::is_sorted(offsets.begin(), offsets.end()), file, name + "/offsets", "is not ascending");
  for (Index r = 0; r < rows; ++r) {
    for (std::uint32_t f = offsets[r]; f < offsets[r + 1]; ++f) {
      check(static_cast<Index>(labels[f]) < K, file, name + "/labels", "names a label that does not exist");
      check(f == offsets[r] || labels[f - 1] < labels[f], file, name + "/labels",
            "has a row that is not ascending");
    }
  }
  return {{offsets.begin(), offsets.end()}, {labels.begin(), labels.end()}};
}

LabelContexts label_contexts(const ArrayFile& file, Index K) {
  LabelContexts contexts;
  const auto strings = file.array<std::uint32_t>("contexts");
  check(!strings.empty() && strings.size() % 2 == 0, file, "contexts", "is no list of pairs");
  for (std::size_t i = 0; i < strings.size(); i += 2)
    contexts.strings.push_back({strings[i], strings[i + 1]});
  check(Histories::valid(K, contexts.strings), file, "contexts", "is no trie of labels");
  contexts.next = feature_index(file, "context-transitions", static_cast<Index>(contexts.strings.size()), K);
  return contexts;
}

constexpr std::string_view kExactList = "gazetteer/", kLowerList = "gazetteer-lower/";

Gazetteers gazetteers(const ArrayFile& file) {
  Gazetteers lists;
  for (const ArrayRecord& record : file.records()) {
    const bool lower = record.name.starts_with(kLowerList);
    if (!lower && !record.name.starts_with(kExactList)) continue;
    const std::string_view name = record.name.substr((lower ? kLowerList : kExactList).size());
    lists.push_back(std::make_shared<const Gazetteer>(
        Gazetteer::parse(name, file.text(record.name), lower, record.name)));
  }
  return lists;
}

int hash_bits(const ArrayFile& file) {
  if (!file.find("hash-bits")) return 0;
  const std::uint32_t bits = file.array<std::uint32_t>("hash-bits", {1})[0];
  check(bits >= 1 && bits <= Featurizer::kMaxHashBits, file, "hash-bits", "is out of range");
  return static_cast<int>(bits);
}

Constraints constraints(const ArrayFile& file, Index K) {
  if (!file.find("legal")) return {};
  const auto legal = file.array<std::uint8_t>("legal", {K + 1, K + 1});
  check(std::all_of(legal.begin(), legal.end(), [](std::uint8_t cell) { return cell <= 1; }), file, "legal",
        "holds a number that is neither 0 nor 1");
  return Constraints(K, legal);
}

Featurizer featurizer(const ArrayFile& file) {
  const auto boundary = file.array<std::uint32_t>("boundary", {1})[0];
  check(boundary <= 1, file, "boundary", "is neither 0 nor 1");
  const std::string_view text = file.text("templates");
  if (text.empty()) return Featurizer::of_attributes(hash_bits(file));
  try {
    return Featurizer(TemplateSet::parse(text, "templates"), boundary == 0 ? Boundary::Marks : Boundary::None,
                      gazetteers(file), hash_bits(file));
  } catch (const ModelError&) {
    throw;
  } catch (const Error& error) {
    throw ModelError(file.name(), std::string("array 'templates' or a gazetteer: ") + error.what(), kMend);
  }
}

}  // namespace

namespace {

// The same names in a table that their order alone decides: one that grew from a file's is arranged
// otherwise.
Vocabulary rebuilt(const Vocabulary& vocabulary) {
  Vocabulary out;
  for (std::uint32_t id = 0; id < vocabulary.size(); ++id) out.add(vocabulary.name(id));
  return out;
}

// Writers borrow, so what they write must outlive them.
template <class Finish>
auto with_writer(const Model& model, Finish finish) {
  const std::vector<std::uint32_t> boundary{model.featurizer.boundary() == Boundary::Marks ? 0u : 1u};
  const std::vector<float> weights(model.weights.begin(), model.weights.end());
  const Vocabulary labels = rebuilt(model.labels), attributes = rebuilt(model.attributes),
                   pair_attributes = rebuilt(model.pair_attributes);
  ArrayFileWriter writer(kModelFormat);
  writer.add_text("templates", model.featurizer.has_templates() ? model.featurizer.templates().text()
                                                                : std::string_view());
  writer.add("boundary", boundary);
  for (const auto& list : model.featurizer.gazetteers()) {
    writer.add_text(std::string(list->lower() ? kLowerList : kExactList) + list->name(), list->text());
  }
  add(writer, "labels", labels.arrays());
  add(writer, "attributes", attributes.arrays());
  add(writer, "emissions", model.emissions);
  add(writer, "transitions", model.transitions);
  if (model.pairs.rows() > 0) {
    add(writer, "pair-attributes", pair_attributes.arrays());
    add(writer, "pairs", model.pairs);
  }
  std::vector<std::uint32_t> strings;
  for (const auto& c : model.contexts.strings) strings.push_back(c.prefix), strings.push_back(c.last);
  if (!model.contexts.empty()) {
    writer.add("contexts", strings);
    add(writer, "context-transitions", model.contexts.next);
  }
  const Index rows = model.constraints.labels() + 1;
  if (!model.constraints.empty()) writer.add("legal", model.constraints.table(), {rows, rows});
  const std::vector<std::uint32_t> bits{static_cast<std::uint32_t>(model.featurizer.hash_bits())};
  if (bits[0] > 0) writer.add("hash-bits", bits);
  const std::vector<std::uint32_t> columns{static_cast<std::uint32_t>(model.vector_columns)};
  if (model.vector_columns > 0) writer.add("vector-columns", columns);
  const std::vector<std::uint32_t> encoding{static_cast<std::uint32_t>(model.encoding)};
  if (model.encoding != Encoding::None) writer.add("encoding", encoding);
  writer.add("weights", weights);
  return finish(writer);
}

}  // namespace

void save_model(const Model& model, const std::string& path) {
  with_writer(model, [&](const ArrayFileWriter& writer) { writer.write(path); });
}

std::vector<std::byte> model_bytes(const Model& model) {
  return with_writer(model, [](const ArrayFileWriter& writer) { return writer.bytes(); });
}

Model load_model(const std::string& path) { return load_model(ArrayFile::open(path, kModelFormat)); }

Model load_model(ArrayFile opened) {
  auto shared = std::make_shared<const ArrayFile>(std::move(opened));
  const ArrayFile& file = *shared;
  Model model;
  model.featurizer = featurizer(file);
  model.labels = vocabulary(file, "labels");
  model.attributes = vocabulary(file, "attributes");
  const Index K = static_cast<Index>(model.labels.size());
  check(K > 0, file, "labels/offsets", "holds no label");
  model.emissions = feature_index(file, "emissions", static_cast<Index>(model.attributes.size()), K);
  model.transitions = feature_index(file, "transitions", K, K);
  model.constraints = constraints(file, K);
  if (file.find("pairs/offsets")) {
    check(model.featurizer.pairs() != nullptr, file, "pairs/offsets",
          "is there although no template makes attributes of pairs");
    model.pair_attributes = vocabulary(file, "pair-attributes");
    model.pairs = feature_index(file, "pairs", static_cast<Index>(model.pair_attributes.size()), K * K);
  }
  if (file.find("contexts")) model.contexts = label_contexts(file, K);
  if (file.find("vector-columns")) {
    const auto columns = file.array<std::uint32_t>("vector-columns", {1})[0];
    check(columns >= 1 && columns <= kMaxVectorColumns, file, "vector-columns", "is out of range");
    model.vector_columns = columns;
  }
  if (file.find("encoding")) {
    check(file.array<std::uint32_t>("encoding", {1})[0] == 1, file, "encoding", "is none that is known");
    model.encoding = Encoding::Bioes;
  }
  const auto weights = file.array<float>("weights", {model.features()});
  check(std::all_of(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); }), file,
        "weights", "holds a number that is not finite");
  model.weights.assign(weights.begin(), weights.end());
  model.storage = shared;
  return model;
}

}  // namespace thalweg
