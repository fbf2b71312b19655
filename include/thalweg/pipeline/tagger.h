/// @file
/// Labels for new sentences:
///
///     const Tagger tagger = Tagger::load("chunks.model");
///     for (const std::string& label : tagger.tag({"the", "cat", "sat"})) std::cout << label << '\n';
///
/// A Tagger is const and shared by any number of threads; a Decoder is the scratch space of one of them.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/features/attribute_memo.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/sum_product.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

class THALWEG_EXPORT Tagger {
 public:
  /// @throws IoError, ModelError
  static Tagger load(const std::string& path);
  explicit Tagger(Model model);
  Tagger(Tagger&&) noexcept;
  Tagger& operator=(Tagger&&) noexcept;
  ~Tagger();

  /// One label a token; words are column 0. For models that read more columns there is the next. Empty where
  /// the model's constraints leave no labelling, as below.
  /// @throws InputError where a template reads another column.
  std::vector<std::string> tag(std::span<const std::string> words) const;
  std::vector<std::string> tag(std::initializer_list<std::string_view> words) const;
  /// Rows of cells, as in the training data; the label column may be missing.
  std::vector<std::string> tag(const Sentence& sentence) const;

  const Model& model() const;
  Index labels() const { return static_cast<Index>(model().labels.size()); }
  /// What people read for label l of the model: its name, or what Model::encoding makes of it.
  std::string_view label(Label l) const;

 private:
  friend class Decoder;
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

/// Reads one sentence at a time and answers about it. Once warm it allocates nothing but what k_lowest
/// returns. One per thread; the Tagger must outlive it.
class THALWEG_EXPORT Decoder {
 public:
  explicit Decoder(const Tagger& tagger);

  /// Computes the energies of the sentence's chain. @throws InputError where a template reads a missing
  /// column
  /// @param vectors [T x Model::vector_columns], what stands beside the tokens; OptionError for another shape
  void read(const Sentence& sentence, Table<const float> vectors = {});
  /// The chain of the last `read`; valid until the next.
  Chain<float> chain() const;

  /// The lowest labelling, valid until the next call; empty, and the energy +infinity, where the model's
  /// constraints leave none.
  std::span<const Label> minimize();
  double energy() const { return energy_; }  ///< of the labelling `minimize` found
  /// F at beta = 1: log p(labelling) = free_energy() - energy. +infinity where there is no labelling; then
  /// there is nothing else to ask of sums.
  double free_energy();
  /// [T x K] p(y_t = l), after `free_energy`; valid until the next call.
  Table<const float> marginals();
  /// p(the token at t has a label that reads like l), of the last `marginals`.
  double probability(Index t, Label l) const;
  /// The k lowest labellings, ascending.
  void k_lowest(Index k, std::vector<Minimum>& found);
  /// Sums over labellings, after `free_energy`: spans' probabilities, samples.
  SumProduct<float>& sums() { return sums_; }

 private:
  // A model whose pairwise tables depend on the sentence has them made ready here, others in the tagger.
  const Couplings<float>& for_minima();
  const Couplings<float>& for_sums();

  const Tagger& tagger_;
  Dataset data_;
  AttributeMemo memo_;
  FeatureScratch scratch_;  // of pairs
  ChainEnergies energies_;
  ChainBlock<float> chains_;  // of the one sentence
  Couplings<float> minima_couplings_, sums_couplings_;
  bool minima_ready_ = false, sums_ready_ = false;
  TableBuffer<float> marginals_;
  MinSum<float> minima_;
  SumProduct<float> sums_;
  std::vector<Label> labels_;
  double energy_ = 0;
};

}  // namespace thalweg
