// SPDX-License-Identifier: Apache-2.0
// Replays the corpus of every fuzz target without a fuzzer: each file as it is, cut short, and with single
// bits flipped. So the findings of earlier runs stay fixed with any compiler.
#include "fuzz/targets.hpp"

#define BOOST_TEST_MODULE depthlens_fuzz_corpus
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace depthlens::fuzz {

std::ostream& operator<<(std::ostream& out, const target& t) { return out << t.name; }

namespace {

std::vector<std::filesystem::path> corpus_of(const target& t) {
  std::vector<std::filesystem::path> out;
  for (const auto& file :
       std::filesystem::directory_iterator(std::filesystem::path(DEPTHLENS_FUZZ_CORPUS) / t.name))
    out.push_back(file.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  BOOST_REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void try_input(const target& t, const std::string& input, const std::filesystem::path& from,
               const char* how) {
  try {
    t.run(input);
  } catch (const std::exception& e) {
    BOOST_ERROR(t.name << ", " << from.filename().string() << ' ' << how << ": " << e.what());
  }
}

}  // namespace

BOOST_DATA_TEST_CASE(the_corpus_is_read_or_refused_cleanly, boost::unit_test::data::make(targets), tried) {
  const auto files = corpus_of(tried);
  BOOST_TEST(files.size() > 0u);
  for (const auto& file : files) try_input(tried, bytes_of(file), file, "whole");
}

BOOST_DATA_TEST_CASE(cut_and_flipped_corpus_files_are_read_or_refused_cleanly,
                     boost::unit_test::data::make(targets), tried) {
  for (const auto& file : corpus_of(tried)) {
    const std::string whole = bytes_of(file);
    for (std::size_t i = 0; i < 32; ++i)
      try_input(tried, whole.substr(0, whole.size() * i / 32), file, "cut");
    std::mt19937_64 random(whole.size());
    for (int i = 0; i < 64 && !whole.empty(); ++i) {
      std::string flipped = whole;
      flipped[random() % whole.size()] ^= static_cast<char>(1 << random() % 8);
      try_input(tried, flipped, file, "with a bit flipped");
    }
  }
}

}  // namespace depthlens::fuzz
