// SPDX-License-Identifier: Apache-2.0
// safetensors files and sharded folders, good and hostile.
#include "depthlens/files/safetensors.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/model_bytes.hpp"

using namespace depthlens;
using depthlens::test::byte_writer;
using depthlens::test::fails_with;
using depthlens::test::safetensors_bytes;

namespace {

safetensors_file parse(const byte_writer& bytes) { return {bytes.bytes(), "m.safetensors"}; }

bool accepts(std::string_view header, std::size_t data) {
  parse(safetensors_bytes(header, data));
  return true;
}

bool refuses(std::string_view header, std::size_t data, std::string_view part) {
  return fails_with(status::data, part, [&] { accepts(header, data); });
}

constexpr std::string_view two_tensors =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[8,20]},)"
    R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

std::string one(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return cat(R"({"t":{"dtype":")", dtype, R"(","shape":)", shape, R"(,"data_offsets":)", offsets, "}}");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(safetensors)

BOOST_AUTO_TEST_CASE(tensors_are_views_in_order_of_their_data) {
  const byte_writer bytes = safetensors_bytes(two_tensors, 20);
  const safetensors_file f = parse(bytes);
  BOOST_REQUIRE(f.tensors().size() == 2u);
  const safetensors_tensor& a = f.tensors()[0];
  const safetensors_tensor& b = f.tensors()[1];
  BOOST_TEST(a.view.name == "a");
  BOOST_TEST(b.view.name == "b");
  BOOST_TEST((b.view.shape == std::vector<std::uint64_t>{2, 3}));
  BOOST_TEST((b.view.type == dtype::f16));
  BOOST_TEST(std::string(b.type_name) == "F16");
  BOOST_TEST(b.view.data == bytes.bytes().data() + bytes.size() - 12);
  BOOST_TEST(b.view.bytes == 12u);
}

BOOST_AUTO_TEST_CASE(empty_models_scalars_and_zero_sizes_are_allowed) {
  BOOST_TEST(accepts("{}", 0));
  BOOST_TEST(accepts("{}   ", 0));
  BOOST_TEST(accepts("  {}", 0));
  BOOST_TEST(accepts(one("F32", "[]", "[0,4]"), 4));
  BOOST_TEST(accepts(one("F32", "[0]", "[0,0]"), 0));
  BOOST_TEST(accepts(one("F32", "[2,0,3]", "[0,0]"), 0));
  BOOST_TEST(accepts(R"({"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
                     R"("t":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})",
                     8));
}

BOOST_AUTO_TEST_CASE(every_dtype_has_its_size) {
  const std::pair<const char*, int> types[] = {
      {"F64", 64}, {"F32", 32},    {"F16", 16},    {"BF16", 16},   {"I64", 64},    {"I32", 32},   {"I16", 16},
      {"I8", 8},   {"U64", 64},    {"U32", 32},    {"U16", 16},    {"U8", 8},      {"BOOL", 8},   {"C64", 64},
      {"F4", 4},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}};
  for (const auto& [name, bits] : types) {
    const auto bytes = static_cast<std::size_t>(bits);
    BOOST_TEST(accepts(one(name, "[8]", cat("[0,", bytes, "]")), bytes), name);
    BOOST_TEST(refuses(one(name, "[8]", cat("[0,", bytes + 1, "]")), bytes + 1, "does not hold"), name);
  }
  BOOST_TEST(refuses(one("F4", "[3]", "[0,2]"), 2, "whole bytes"));
  BOOST_TEST(refuses(one("Q4", "[2]", "[0,8]"), 8, "unknown dtype 'Q4'"));
}

BOOST_AUTO_TEST_CASE(header_lengths_are_checked_first) {
  byte_writer empty, huge, beyond;
  BOOST_TEST(fails_with(status::data, "header length", [&] { parse(empty); }));
  huge.put(std::uint64_t{100'000'001}).zeros(64);
  BOOST_TEST(fails_with(status::data, "over 100000000", [&] { parse(huge); }));
  beyond.put(std::uint64_t{65}).zeros(64);
  BOOST_TEST(fails_with(status::data, "64 are left", [&] { parse(beyond); }));
}

BOOST_AUTO_TEST_CASE(headers_are_strict_json_objects) {
  BOOST_TEST(refuses("", 0, "truncated"));
  BOOST_TEST(refuses("[]", 0, "expected an object"));
  BOOST_TEST(refuses("{} x", 0, "after the end"));
  BOOST_TEST(refuses(R"({"__metadata__":{"format":1}})", 0, "expected only strings"));
  BOOST_TEST(refuses(R"({"__metadata__":"pt"})", 0, "expected an object"));
  BOOST_TEST(refuses(R"({"t":[]})", 0, "expected an object"));
  BOOST_TEST(refuses(R"({"t":{"dtype":"F32","shape":[1]}})", 4, "\"data_offsets\" is missing"));
  BOOST_TEST(refuses("{\"\xff\":{}}", 0, "not valid JSON"));
}

BOOST_AUTO_TEST_CASE(no_name_occurs_twice) {
  const std::string entry = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  BOOST_TEST(refuses(cat("{\"a\":", entry, ",\"a\":", entry, "}"), 4, "key 'a' occurs twice"));
  BOOST_TEST(
      refuses(R"({"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}})", 4, "'dtype'"));
}

BOOST_AUTO_TEST_CASE(sizes_do_not_wrap) {
  BOOST_TEST(refuses(one("F32", "[9223372036854775807,4]", "[0,4]"), 4, "too large"));
  BOOST_TEST(refuses(one("F32", "[4611686018427387905]", "[0,4]"), 4, "too large"));
  BOOST_TEST(refuses(one("F32", "[18446744073709551616]", "[0,4]"), 4, "integer"));
  BOOST_TEST(refuses(one("F32", "[-1]", "[0,4]"), 4, "integer"));
  BOOST_TEST(refuses(one("F32", "[1.0]", "[0,4]"), 4, "integer"));
  BOOST_TEST(refuses(one("F32", "[-0]", "[0,0]"), 0, "integer"));
  BOOST_TEST(refuses(one("F32", "[1]", "[0.0,4]"), 4, "integer"));
}

BOOST_AUTO_TEST_CASE(data_has_no_overlap_hole_or_rest) {
  const auto pair = [](std::string_view a, std::string_view b) {
    return cat(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)", a,
               R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)", b, "}}");
  };
  BOOST_TEST(accepts(pair("[4,8]", "[0,4]"), 8));
  BOOST_TEST(refuses(pair("[0,4]", "[0,4]"), 4, "overlap"));
  BOOST_TEST(refuses(pair("[0,4]", "[2,6]"), 6, "overlap"));
  BOOST_TEST(refuses(pair("[0,4]", "[8,12]"), 12, "gap"));
  BOOST_TEST(refuses(one("F32", "[1]", "[4,8]"), 8, "expected 0"));
  BOOST_TEST(refuses(one("F32", "[1]", "[4,0]"), 8, "does not hold"));
  BOOST_TEST(refuses(one("F32", "[2]", "[0,8]"), 7, "truncated"));
  BOOST_TEST(refuses(one("F32", "[2]", "[0,8]"), 9, "1 bytes after the last tensor"));
  BOOST_TEST(refuses(one("F32", "[1]", "[0,4,8]"), 4, "expected [begin, end]"));
  BOOST_TEST(refuses(one("F32", "[1]", "[18446744073709551612,18446744073709551616]"), 4, "integer"));
}

BOOST_AUTO_TEST_CASE(many_names_over_the_same_bytes_are_no_memory_bomb) {
  std::string header = "{";
  for (int i = 0; i < 1000; ++i) {
    header += cat(i > 0 ? "," : "", "\"", i, R"(":{"dtype":"F32","shape":[64],"data_offsets":[0,256]})");
  }
  BOOST_TEST(refuses(header + "}", 256, "overlap"));
}

BOOST_AUTO_TEST_CASE(a_header_of_bare_numbers_is_cut_off_by_its_value_count) {
  std::string header = "{\"t\":[1";
  for (int i = 0; i < 10000; ++i) header += ",1";
  BOOST_TEST(refuses(header + "]}", 0, "more values"));
}

BOOST_AUTO_TEST_CASE(every_cut_of_a_file_is_one_clean_error) {
  const byte_writer bytes = safetensors_bytes(two_tensors, 20);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    BOOST_TEST(fails_with(status::data, "m.safetensors",
                          [&] { safetensors_file(bytes.bytes().first(n), "m.safetensors"); }),
               n);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(sharded_safetensors)

namespace {

void write_shard(const test::scratch_folder& folder, const std::string& file, std::string_view name) {
  const std::string header = cat("{\"", name, R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})");
  folder.write(file, test::text_of(safetensors_bytes(header, 4)));
}

void write_index(const test::scratch_folder& folder, std::string_view map) {
  folder.write("model.safetensors.index.json",
               cat(R"({"metadata":{"total_size":8},"weight_map":)", map, "}"));
}

bool refuses_folder(const test::scratch_folder& folder, status code, std::string_view part) {
  return fails_with(code, part, [&] { open_safetensors_folder(folder.path()); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(shards_of_an_index_are_opened_once_each) {
  const test::scratch_folder folder;
  write_shard(folder, "a.safetensors", "x");
  write_shard(folder, "b.safetensors", "y");
  write_index(folder, R"({"y":"b.safetensors","x":"a.safetensors"})");
  BOOST_TEST(open_safetensors_folder(folder.path()).size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_single_file_is_taken_before_an_index) {
  const test::scratch_folder folder;
  write_shard(folder, "model.safetensors", "x");
  write_index(folder, R"({"y":"gone.safetensors"})");
  BOOST_TEST(open_safetensors_folder(folder.path()).size() == 1u);
}

BOOST_AUTO_TEST_CASE(missing_weights_and_shards_are_no_input) {
  const test::scratch_folder folder;
  BOOST_TEST(refuses_folder(folder, status::no_input, "neither model.safetensors nor"));
  write_shard(folder, "a.safetensors", "x");
  write_index(folder, R"({"x":"a.safetensors","y":"b.safetensors"})");
  BOOST_TEST(refuses_folder(folder, status::no_input, "'b.safetensors' is missing"));
}

BOOST_AUTO_TEST_CASE(an_index_must_agree_with_its_shards) {
  const test::scratch_folder folder;
  write_shard(folder, "a.safetensors", "x");
  write_shard(folder, "b.safetensors", "y");
  write_index(folder, R"({"x":"b.safetensors","y":"a.safetensors"})");
  BOOST_TEST(refuses_folder(folder, status::data, "is not in its shard"));
  write_index(folder, R"({"x":"a.safetensors","z":"b.safetensors"})");
  BOOST_TEST(refuses_folder(folder, status::data, "'z' is not in its shard"));
  write_shard(folder, "b.safetensors", "x");
  write_index(folder, R"({"x":"a.safetensors","y":"b.safetensors"})");
  BOOST_TEST(refuses_folder(folder, status::data, "in another shard too"));
}

BOOST_AUTO_TEST_CASE(shard_names_stay_inside_the_folder) {
  const test::scratch_folder folder;
  for (const char* name : {"../a.safetensors", "/etc/a.safetensors", "sub/a.safetensors", "..", "", "a.bin",
                           "..\\\\a.safetensors", "a\\u0000.safetensors", ".safetensors"}) {
    write_index(folder, cat("{\"x\":\"", name, "\"}"));
    BOOST_TEST(refuses_folder(folder, status::data, "is not a plain"), name);
  }
  const std::string long_name(244, 'a');  // 255 bytes are the longest that there may be
  write_index(folder, cat("{\"x\":\"", long_name, "a.safetensors\"}"));
  BOOST_TEST(refuses_folder(folder, status::data, "is not a plain"));
  write_index(folder, cat("{\"x\":\"", long_name.substr(1), ".safetensors\"}"));
  BOOST_TEST(refuses_folder(folder, status::no_input, "is missing"));
  write_index(folder, R"({"x":1})");
  BOOST_TEST(refuses_folder(folder, status::data, "expected a string"));
  write_index(folder, R"(["x"])");
  BOOST_TEST(refuses_folder(folder, status::data, "expected an object"));
}

BOOST_AUTO_TEST_SUITE_END()
