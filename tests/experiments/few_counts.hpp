// SPDX-License-Identifier: Apache-2.0
// What freq and flips both say of a table of token counts that has fewer tokens than their buckets need.
#pragma once

#include "counts_file.hpp"
#include "fake_host.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace depthlens::test {

inline void check_warning_of_few_counts(const dlens_plugin* plugin) {
  for (const std::size_t n : {106U, 1000U}) {
    fake_host host(plugin);
    for (const char* piece : {"on", " the", "~"}) host.tokenizer.id(piece);  // there are 1000 ids
    std::vector<std::string> pieces;
    for (std::size_t i = 0; i < n; ++i)
      pieces.push_back({' ', static_cast<char>('a' + i / 26 / 26), static_cast<char>('a' + i / 26 % 26),
                        static_cast<char>('a' + i % 26)});
    const counts_file counts(host.tokenizer, pieces);
    host.options["token-counts"] = counts.path();
    record whole, short_one;
    whole.fields.emplace_back("prompt", "on the");
    short_one.fields.emplace_back("prompt", "so");
    short_one.left_out = "short paragraph";
    host.add("", "cut", {whole, short_one});
    host.run();
    BOOST_TEST(host.warnings.size() == (n < 1000 ? 1U : 0U));
    if (n < 1000) BOOST_TEST(host.warnings[0].find("the table has 106 tokens") != std::string::npos);
    BOOST_TEST(host.column("prompts", "reason") == (std::vector<std::string>{"", "short paragraph"}));
  }
}

}  // namespace depthlens::test
