// SPDX-License-Identifier: Apache-2.0
// Model files cut short and with bits flipped: every cut is one clean error that names the file, every flip
// an error or a readable file, and none takes more memory than a multiple of the bytes that are there. Models
// made here; and the demo model, where it is.
#include "fuzz/check.hpp"
#include "fuzz/memory_files.hpp"
#include "support/demo_model.hpp"
#include "support/tiny_models.hpp"

#include "depthlens/files/gguf.hpp"
#include "depthlens/files/safetensors.hpp"
#include "depthlens/model/model_files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(truncated_models)

namespace {

using namespace depthlens;

constexpr fuzz::memory_limit limit{.times = 64};

// Reads `size` bytes of what was `what` and says whether there is a value; broken promises are test errors.
template <class Read>
bool reads(const std::string& what, std::string_view label, std::size_t size, Read&& read) {
  try {
    return fuzz::read_cleanly(label, size, limit, read).has_value();
  } catch (const std::exception& e) {
    BOOST_ERROR(what << ": " << e.what());
    return false;
  }
}

// Every byte up to `header`, then every KiB.
std::vector<std::size_t> cuts(std::size_t header, std::size_t size) {
  std::vector<std::size_t> out;
  for (std::size_t at = 0; at < size; at += at < header ? 1 : 1024) out.push_back(at);
  return out;
}

bool reads_gguf(std::span<const std::byte> bytes, const std::string& what) {
  return reads(what, "m.gguf", bytes.size(), [&] { return gguf_file(bytes, "m.gguf"); });
}

// Two layers and a tensor of 256 KiB.
test::byte_writer larger_gguf() {
  test::gguf_parts p = test::tiny_gguf_metadata();
  return test::add_tiny_tensors(p).tensor("large", {256, 256}).file();
}

// Weights in two shards of about 4 and 260 KiB.
struct sharded_folder {
  sharded_folder() {
    auto tensors = test::tiny_folder_tensors();
    std::string map;
    for (const auto& t : tensors) map += cat(map.empty() ? "" : ",", "\"", t.name, "\":\"a.safetensors\"");
    index = cat(R"({"metadata":{},"weight_map":{)", map, R"(,"large":"b.safetensors"}})");
    a = test::safetensors_text(tensors);
    b = test::safetensors_text({{"large", {256, 256}}, {"after", {3}}});
    index.replace(index.rfind("}}"), 2, R"(,"after":"b.safetensors"}})");
    put();
  }
  void put() {
    folder.put("model.safetensors.index.json", index);
    folder.put("a.safetensors", a);
    folder.put("b.safetensors", b);
  }
  bool read(const std::string& what) {
    return reads(what, folder.path().string(), index.size() + a.size() + b.size(),
                 [&] { return open_safetensors_folder(folder.path()); });
  }

  fuzz::memory_folder folder;
  std::string index, a, b;
};

// Where the table of tensors begins: it ends within one alignment before the data.
std::size_t tensor_table(const gguf_file& file) {
  std::size_t size = file.alignment();
  for (const gguf_tensor& t : file.tensors())
    size += 8 + t.view.name.size() + 4 + 8 * t.view.shape.size() + 4 + 8;
  return file.data_offset() - size;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_gguf_cut_anywhere_is_one_clean_error) {
  const test::byte_writer whole = larger_gguf();
  const std::size_t header = gguf_file(whole.bytes(), "m.gguf").data_offset();
  for (const std::size_t n : cuts(header, whole.size()))
    BOOST_TEST(!reads_gguf(whole.bytes().first(n), cat("cut at ", n)), "accepted, cut at " << n);
  BOOST_TEST(reads_gguf(whole.bytes(), "whole"));
}

BOOST_AUTO_TEST_CASE(a_sharded_model_cut_anywhere_is_one_clean_error) {
  sharded_folder model;
  BOOST_TEST(model.read("whole"));
  for (std::string* const file : {&model.index, &model.a, &model.b}) {
    const std::string whole = *file;
    const std::size_t header = file == &model.index ? whole.size() : whole.find("}}") + 2;
    for (const std::size_t n : cuts(header, whole.size())) {
      *file = whole.substr(0, n);
      model.put();
      BOOST_TEST(!model.read(cat("cut at ", n)), "accepted, cut at " << n);
    }
    *file = whole;
  }
}

BOOST_AUTO_TEST_CASE(a_thousand_flipped_bits_in_headers_are_no_crash) {
  const test::byte_writer whole = larger_gguf();
  const std::size_t header = gguf_file(whole.bytes(), "m.gguf").data_offset();
  sharded_folder model;
  const std::string a = model.a;
  const std::size_t a_header = a.find("}}") + 2;
  std::mt19937_64 random(4);
  std::size_t accepted = 0;
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::byte> bytes(whole.bytes().begin(), whole.bytes().end());
    bytes[random() % header] ^= static_cast<std::byte>(1u << random() % 8);
    accepted += reads_gguf(bytes, cat("GGUF, flip ", i));
    model.a = a;
    model.a[random() % a_header] ^= static_cast<char>(1u << random() % 8);
    model.put();
    model.read(cat("shard, flip ", i));
  }
  BOOST_TEST(accepted > 0U);     // a bit of a name or of a number
  BOOST_TEST(accepted < 1000U);  // a bit of a length or of a count
}

BOOST_AUTO_TEST_CASE(the_demo_model_cut_in_its_header_is_one_clean_error,
                     *boost::unit_test::precondition(test::with_demo_model)) {
  const auto path = test::demo_model_path();
  const gguf_file file(path);
  const mapped_file bytes(path);
  const std::size_t table = tensor_table(file);
  for (std::size_t n = 0; n < 4096; ++n)
    BOOST_TEST(!reads_gguf(bytes.bytes().first(n), cat("cut at ", n)), "accepted, cut at " << n);
  for (std::size_t n = table; n < file.data_offset(); ++n)
    BOOST_TEST(!reads_gguf(bytes.bytes().first(n), cat("cut at ", n)), "accepted, cut at " << n);
  BOOST_TEST_MESSAGE("cut at 4096 places and at each of " << file.data_offset() - table
                                                          << " bytes of the tensor table");
}

BOOST_AUTO_TEST_SUITE_END()
