// SPDX-License-Identifier: Apache-2.0
// CoNLL-U as sentences and as paragraphs that prompts are cut from; and the same bytes as plain text.
#include "fuzz/check.hpp"
#include "fuzz/memory_files.hpp"
#include "fuzz/records.hpp"
#include "fuzz/targets.hpp"

#include "depthlens/data/conllu.hpp"
#include "depthlens/data/cuts.hpp"
#include "depthlens/data/paragraphs.hpp"

#include <memory>

namespace depthlens::fuzz {

void conllu(std::string_view input) {
  static memory_folder folder;
  const auto path = folder.put("text.conllu", input);
  constexpr std::string_view label = "text.conllu";
  constexpr memory_limit limit{.times = 64, .base = std::size_t{256} << 10};
  const cut_options options{.cuts = 3, .seed = 42, .min_paragraph = 20};
  read_records(label, input.size(), limit, [&] { return sentence_reader(path); });
  read_records(label, input.size(), limit, [&] {
    return cut_reader(std::make_unique<conllu_paragraphs>(path, options.min_paragraph), options);
  });
  read_records(label, input.size(), limit,
               [&] { return cut_reader(std::make_unique<text_paragraphs>(path), options); });
}

}  // namespace depthlens::fuzz
