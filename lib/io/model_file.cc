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

// What a file is read for. To tag, attributes and their weights are used where they lie, and their meaning is
// checked as far as no look-up may leave them; the rest is bounded where it is used (Vocabulary::lookup_view,
// PackedWeights). Damage has been found by the checksums, and a forger, who can make any sum of weights come
// out, gains nothing by a name that comes twice. Whoever shows names or moves weights has all of it checked.
enum class Purpose { All, Tagging };

void add(ArrayFileWriter& writer, const std::string& name, const Vocabulary::Arrays& arrays) {
  writer.add_text(name + "/bytes", {arrays.bytes.data(), arrays.bytes.size()});
  writer.add(name + "/offsets", arrays.offsets);
  writer.add(name + "/slots", arrays.slots);
}

Vocabulary vocabulary(const ArrayFile& file, const std::string& name, Purpose purpose = Purpose::All) {
  const std::string_view bytes = file.text(name + "/bytes");
  const Vocabulary::Arrays arrays{std::span(bytes.data(), bytes.size()),
                                  file.array<std::uint32_t>(name + "/offsets"),
                                  file.array<std::uint64_t>(name + "/slots")};
  const std::string where = file.name() + ": array '" + name + "'";
  return purpose == Purpose::All ? Vocabulary::view(arrays, where) : Vocabulary::lookup_view(arrays, where);
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

// --- emissions

void add(ArrayFileWriter& writer, const PackedWeights& packed) {
  const std::initializer_list<Index> shape{packed.whole, packed.labels};
  if (packed.type == WeightType::F32) {
    writer.add("emissions/rows", packed.rows, shape);
    writer.add("emissions/pairs", packed.pairs);
  } else {
    writer.add("emissions/rows", packed.half_rows, shape);
    writer.add("emissions/pairs", packed.half_pairs);
  }
  writer.add("emissions/offsets", packed.offsets);
}

// Each attribute has at most K pairs, in their order, and none if it has a row: so they span no more than
// there is, and the plan of a sentence stays as small as the sentence. Without branches: there are millions.
bool offsets_hold(std::span<const std::uint32_t> offsets, Index whole, Index K) {
  const auto most = static_cast<std::uint32_t>(K);
  bool bad = offsets[0] != 0 || offsets[static_cast<std::size_t>(whole)] != 0;
  for (std::size_t a = 1; a < offsets.size(); ++a)
    bad |= static_cast<unsigned>(offsets[a] < offsets[a - 1]) |
           static_cast<unsigned>(offsets[a] - offsets[a - 1] > most);
  return !bad;
}

PackedWeights packed_weights(const ArrayFile& file, Index attributes, Index K) {
  PackedWeights packed;
  packed.labels = K;
  const ArrayRecord* const rows = file.find("emissions/rows");
  std::size_t pairs = 0;
  if (rows && rows->type == ElementType::F16) {
    packed.type = WeightType::F16;
    packed.half_rows = file.array<Half>("emissions/rows", {kAnySize, K});
    packed.half_pairs = file.array<std::uint32_t>("emissions/pairs");
    pairs = packed.half_pairs.size();
  } else {
    packed.rows = file.array<float>("emissions/rows", {kAnySize, K});
    packed.pairs = file.array<std::uint64_t>("emissions/pairs");
    pairs = packed.pairs.size();
  }
  packed.whole = static_cast<Index>(file.find("emissions/rows")->shape[0]);
  packed.offsets = file.array<std::uint32_t>("emissions/offsets", {attributes + 1});
  check(file.bytes_behind("emissions/rows") >= 60, file, "emissions/rows", "ends the file");
  check(packed.whole <= attributes, file, "emissions/rows", "has more rows than there are attributes");
  check(offsets_hold(packed.offsets, packed.whole, K), file, "emissions/offsets", "is not ascending");
  check(packed.offsets.back() == pairs, file, "emissions/offsets", "does not span its pairs");
  return packed;
}

// What tagging does not rely on.
void check_all(const ArrayFile& file, const PackedWeights& packed) {
  const auto finite = [](auto w) { return is_finite(w); };
  check(std::all_of(packed.rows.begin(), packed.rows.end(), finite) &&
            std::all_of(packed.half_rows.begin(), packed.half_rows.end(), finite),
        file, "emissions/rows", "holds a number that is not finite");
  for (Index a = packed.whole; a < packed.attributes(); ++a) {
    for (Index p = packed.offsets[a]; p < static_cast<Index>(packed.offsets[a + 1]); ++p) {
      check(static_cast<Index>(packed.pair_label(p)) < packed.labels, file, "emissions/pairs",
            "names a label that does not exist");
      check(p == static_cast<Index>(packed.offsets[a]) || packed.pair_label(p - 1) < packed.pair_label(p),
            file, "emissions/pairs", "has a row that is not ascending");
      check(packed.pair_is_finite(p), file, "emissions/pairs", "holds a number that is not finite");
    }
  }
}

// --- other weights

template <class Number>
std::vector<double> doubles(const ArrayFile& file, std::span<const Number> weights) {
  std::vector<double> out;
  out.reserve(weights.size());
  for (const Number w : weights) {
    check(is_finite(w), file, "weights", "holds a number that is not finite");
    out.push_back(static_cast<double>(to_float(w)));
  }
  return out;
}

std::vector<double> other_weights(const ArrayFile& file, Index count) {
  const ArrayRecord* const record = file.find("weights");
  if (record && record->type == ElementType::F16) return doubles(file, file.array<Half>("weights", {count}));
  return doubles(file, file.array<float>("weights", {count}));
}

// --- where attributes come from

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

// The weights behind those of emissions.
template <class Number>
std::vector<Number> other_weights(const Model& model) {
  std::vector<Number> out;
  for (std::size_t f = static_cast<std::size_t>(model.emissions.features()); f < model.weights.size(); ++f)
    out.push_back(rounded<Number>(model.weights[f]));
  return out;
}

// Writers borrow, so what they write must outlive them. Rows come first: kernels read over their end.
template <class Finish>
auto with_writer(const Model& model, Finish finish) {
  const std::vector<std::uint32_t> boundary{model.featurizer.boundary() == Boundary::Marks ? 0u : 1u};
  const auto packed = model.packed ? model.packed : packed_emissions(model, WeightType::F32);
  const Vocabulary labels = rebuilt(model.labels), attributes = rebuilt(model.attributes),
                   pair_attributes = rebuilt(model.pair_attributes);
  ArrayFileWriter writer(kModelFormat);
  add(writer, *packed);
  writer.add_text("templates", model.featurizer.has_templates() ? model.featurizer.templates().text()
                                                                : std::string_view());
  writer.add("boundary", boundary);
  for (const auto& list : model.featurizer.gazetteers()) {
    writer.add_text(std::string(list->lower() ? kLowerList : kExactList) + list->name(), list->text());
  }
  add(writer, "labels", labels.arrays());
  add(writer, "attributes", attributes.arrays());
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
  const bool half = packed->type == WeightType::F16;
  const auto floats = half ? std::vector<float>() : other_weights<float>(model);
  const auto halves = half ? other_weights<Half>(model) : std::vector<Half>();
  half ? writer.add("weights", halves) : writer.add("weights", floats);
  return finish(writer);
}

}  // namespace

void save_model(const Model& model, const std::string& path) {
  with_writer(model, [&](const ArrayFileWriter& writer) { writer.write(path); });
}

std::vector<std::byte> model_bytes(const Model& model) {
  return with_writer(model, [](const ArrayFileWriter& writer) { return writer.bytes(); });
}

namespace {

// Of format 1, emissions are an index and their weights come before the others'; later they are packed.
Model read(ArrayFile opened, Purpose purpose) {
  auto shared = std::make_shared<const ArrayFile>(std::move(opened));
  const ArrayFile& file = *shared;
  const bool packed = file.format().major >= 2;
  Model model;
  model.storage = shared;
  model.featurizer = featurizer(file);
  model.labels = vocabulary(file, "labels");
  model.attributes = vocabulary(file, "attributes", packed ? purpose : Purpose::All);
  const Index K = static_cast<Index>(model.labels.size()), A = static_cast<Index>(model.attributes.size());
  check(K > 0, file, "labels/offsets", "holds no label");
  if (packed) {
    auto emissions = packed_weights(file, A, K);
    emissions.storage = shared;
    if (purpose == Purpose::All) check_all(file, emissions);
    model.packed = std::make_shared<const PackedWeights>(std::move(emissions));
  } else {
    model.emissions = feature_index(file, "emissions", A, K);
  }
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
  model.weights = other_weights(file, model.features());
  return model;
}

}  // namespace

Model load_model(const std::string& path) { return load_model(ArrayFile::open(path, kModelFormat)); }
Model load_model(ArrayFile file) { return unpacked(read(std::move(file), Purpose::All)); }

Model map_model(const std::string& path) { return map_model(ArrayFile::open(path, kModelFormat)); }
Model map_model(ArrayFile file) { return packed(read(std::move(file), Purpose::Tagging)); }

}  // namespace thalweg
