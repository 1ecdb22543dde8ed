// SPDX-License-Identifier: Apache-2.0
// GGUF files, good ones and one for every hole that readers of this format have had.
#include "depthlens/files/gguf.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/model_bytes.hpp"
#include "support/reference.hpp"

using namespace depthlens;
using depthlens::test::byte_writer;
using depthlens::test::fails_with;
using depthlens::test::gguf_parts;

namespace {

constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();

gguf_file parse(const byte_writer& bytes) { return {bytes.bytes(), "m.gguf"}; }

bool refuses(const byte_writer& bytes, std::string_view part) {
  return fails_with(status::data, part, [&] { parse(bytes); });
}
bool refuses(const gguf_parts& parts, std::string_view part) { return refuses(parts.file(), part); }

// One entry of a type and value.
template <class T>
gguf_parts one_entry(std::uint32_t type, T value) {
  gguf_parts p;
  p.entry("k", type).put(value);
  return p;
}

// One F32 tensor of 8 values with wrong or right info.
gguf_parts one_tensor(const std::vector<std::uint64_t>& ne, std::uint32_t type, std::uint64_t offset) {
  gguf_parts p;
  p.info("t", ne, type, offset);
  p.data.zeros(32);
  return p;
}

byte_writer small_file() {
  gguf_parts p;
  p.text("general.architecture", "llama").u32("n", 7).f32("f", 0.5f);
  p.entry("words", 9).put(std::uint32_t{8}).put(std::uint64_t{2}).string("a").string("bc");
  p.entry("flags", 9).put(std::uint32_t{7}).put(std::uint64_t{2}).put(std::uint8_t{1}).put(std::uint8_t{0});
  p.tensor("x", {4, 3}).tensor("y", {5});
  return p.file();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gguf)

BOOST_AUTO_TEST_CASE(values_of_every_type_are_read) {
  gguf_parts p;
  p.entry("u8", 0).put(std::uint8_t{200});
  p.entry("i8", 1).put(std::int8_t{-2});
  p.entry("u16", 2).put(std::uint16_t{60000});
  p.entry("i16", 3).put(std::int16_t{-3});
  p.entry("i32", 5).put(std::int32_t{-4});
  p.entry("yes", 7).put(std::uint8_t{1});
  p.entry("u64", 10).put(top);
  p.entry("i64", 11).put(std::int64_t{-5});
  p.entry("f64", 12).put(2.5);
  p.entry("ints", 9).put(std::uint32_t{5}).put(std::uint64_t{2}).put(std::int32_t{-1}).put(std::int32_t{9});
  p.entry("floats", 9).put(std::uint32_t{6}).put(std::uint64_t{1}).put(1.5f);
  p.entry("none", 9).put(std::uint32_t{8}).put(std::uint64_t{0});
  p.u32("u32", 4000000000u).f32("f32", 0.5f).text("s", "text");
  const byte_writer bytes = p.file();
  const gguf_file f = parse(bytes);
  BOOST_TEST(f.require_u32("u8") == 200u);
  BOOST_TEST(f.find_i64("i8").value() == -2);
  BOOST_TEST(f.require_u32("u16") == 60000u);
  BOOST_TEST(f.find_i64("i16").value() == -3);
  BOOST_TEST(f.require_u32("u32") == 4000000000u);
  BOOST_TEST(f.find_i64("i32").value() == -4);
  BOOST_TEST(f.require_bool("yes"));
  BOOST_TEST(f.require_u64("u64") == top);
  BOOST_TEST(f.find_i64("i64").value() == -5);
  BOOST_TEST(f.require_float("f32") == 0.5);
  BOOST_TEST(f.require_float("f64") == 2.5);
  BOOST_TEST(f.require_string("s") == "text");
  BOOST_TEST((f.find_ints("ints").value() == std::vector<std::int64_t>{-1, 9}));
  BOOST_TEST((f.find_floats("floats").value() == std::vector<float>{1.5f}));
  BOOST_TEST(f.require_strings("none").empty());
  BOOST_TEST(!f.find_u32("absent").has_value());
  BOOST_TEST(f.entries().size() == 15u);
}

BOOST_AUTO_TEST_CASE(tensors_have_row_major_shapes_and_views_of_their_data) {
  const byte_writer bytes = small_file();
  const gguf_file f = parse(bytes);
  BOOST_REQUIRE(f.tensors().size() == 2u);
  const gguf_tensor* y = f.find_tensor("y");
  BOOST_REQUIRE(y != nullptr);
  BOOST_TEST((f.tensors()[0].view.shape == std::vector<std::uint64_t>{3, 4}));
  BOOST_TEST(f.tensors()[0].view.bytes == 48u);
  BOOST_TEST(y->offset == 64u);
  BOOST_TEST(std::string(y->type_name) == "F32");
  float last;
  std::memcpy(&last, y->view.data + 16, sizeof last);
  BOOST_TEST(last == 5.0f);
  BOOST_TEST(f.find_tensor("z") == nullptr);
}

BOOST_AUTO_TEST_CASE(versions_two_and_three_are_read_and_no_other) {
  gguf_parts p;
  p.version = 2;
  BOOST_CHECK_NO_THROW(parse(p.file()));
  p.version = 1;
  BOOST_TEST(refuses(p, "version 1"));
  p.version = 4;
  BOOST_TEST(refuses(p, "version 4"));
  p.version = 0;
  BOOST_TEST(refuses(p, "version 0"));
  p.version = 3u << 24;
  BOOST_TEST(refuses(p, "big endian"));
}

BOOST_AUTO_TEST_CASE(other_files_are_not_gguf) {
  byte_writer text, empty;
  text.raw("# a read-me file, not a model");
  BOOST_TEST(refuses(text, "not a GGUF file"));
  BOOST_TEST(refuses(empty, "offset 0"));
}

BOOST_AUTO_TEST_CASE(every_cut_of_a_file_is_one_clean_error) {
  const byte_writer bytes = small_file();
  const std::size_t data_end = bytes.size() - 12;  // the padding after the last tensor may be missing
  for (std::size_t n = 0; n < data_end; ++n) {
    BOOST_TEST(fails_with(status::data, "m.gguf", [&] { gguf_file(bytes.bytes().first(n), "m.gguf"); }), n);
  }
  for (std::size_t n = data_end; n <= bytes.size(); ++n) {
    BOOST_CHECK_NO_THROW(gguf_file(bytes.bytes().first(n), "m.gguf"));
  }
}

BOOST_AUTO_TEST_CASE(any_single_wrong_byte_gives_a_file_or_a_clean_error) {
  const byte_writer good = small_file();
  std::vector<std::byte> bytes(good.bytes().begin(), good.bytes().end());
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      bytes[i] ^= static_cast<std::byte>(mask);
      try {
        const gguf_file f(bytes, "m.gguf");
        for (const gguf_tensor& t : f.tensors())
          BOOST_TEST(t.view.data + t.view.bytes <= bytes.data() + bytes.size());
      } catch (const error& e) {
        BOOST_TEST((e.code() == status::data));
        ++refused;
      }
      bytes[i] ^= static_cast<std::byte>(mask);
    }
  }
  BOOST_TEST(refused > 100);
}

BOOST_AUTO_TEST_CASE(counts_that_cannot_be_there_are_refused_before_any_allocation) {
  for (const std::uint64_t n : {top, top / 8, std::uint64_t{1} << 40, std::uint64_t{1000}}) {
    gguf_parts p;
    p.n_entries = n;
    BOOST_TEST(refuses(p, "metadata entries do not fit"));
    p.n_entries = 0;
    p.n_tensors = n;
    BOOST_TEST(refuses(p, "tensors do not fit"));
  }
}

BOOST_AUTO_TEST_CASE(string_lengths_do_not_wrap) {
  gguf_parts key, value, piece, name;
  key.n_entries = value.n_entries = 1;
  key.entries.put(top).zeros(64);
  BOOST_TEST(refuses(key, "metadata key"));
  value.entries.string("k").put(std::uint32_t{8}).put(top - 7).zeros(64);
  BOOST_TEST(refuses(value, "metadata string"));
  piece.entry("k", 9).put(std::uint32_t{8}).put(std::uint64_t{1}).put(top).zeros(64);
  BOOST_TEST(refuses(piece, "array string"));
  name.n_tensors = 1;
  name.tensors.put(top).zeros(64);
  BOOST_TEST(refuses(name, "tensor name"));
}

BOOST_AUTO_TEST_CASE(array_lengths_do_not_wrap) {
  for (const std::uint32_t type : {0u, 6u, 7u, 8u, 12u}) {
    for (const std::uint64_t n : {top, top / 8 + 1, std::uint64_t{1} << 32}) {
      gguf_parts p;
      p.entry("k", 9).put(type).put(n).zeros(64);
      BOOST_TEST(refuses(p, "array elements do not fit"));
    }
  }
}

BOOST_AUTO_TEST_CASE(arrays_of_arrays_and_unknown_types_are_refused) {
  gguf_parts nested, element;
  nested.entry("k", 9).put(std::uint32_t{9}).put(std::uint64_t{1}).zeros(32);
  element.entry("k", 9).put(std::uint32_t{13}).put(std::uint64_t{1}).zeros(32);
  BOOST_TEST(refuses(nested, "of arrays"));
  BOOST_TEST(refuses(element, "unknown type number 13"));
  BOOST_TEST(refuses(one_entry(13, std::uint32_t{0}), "unknown type number 13"));
  BOOST_TEST(refuses(one_entry(0xffffffffu, std::uint32_t{0}), "unknown type number"));
}

BOOST_AUTO_TEST_CASE(bools_are_zero_or_one) {
  gguf_parts array;
  array.entry("k", 9).put(std::uint32_t{7}).put(std::uint64_t{1}).put(std::uint8_t{255});
  BOOST_TEST(refuses(array, "is 255"));
  BOOST_TEST(refuses(one_entry(7, std::uint8_t{2}), "is 2"));
}

BOOST_AUTO_TEST_CASE(names_are_unique_not_empty_and_bounded) {
  gguf_parts keys, names, no_key, no_name, long_name, long_key;
  keys.u32("a", 1).u32("b", 2).u32("a", 3);
  BOOST_TEST(refuses(keys, "metadata key 'a' occurs twice"));
  names.tensor("a", {1}).tensor("b", {1}).tensor("a", {1});
  BOOST_TEST(refuses(names, "tensor name 'a' occurs twice"));
  BOOST_TEST(refuses(no_key.u32("", 1), "empty metadata key"));
  BOOST_TEST(refuses(no_name.tensor("", {1}), "empty tensor name"));
  BOOST_TEST(refuses(long_name.tensor(std::string(65, 'x'), {1}), "at most 64"));
  BOOST_TEST(refuses(long_key.u32(std::string(65536, 'x'), 1), "at most 65535"));
}

BOOST_AUTO_TEST_CASE(names_in_errors_cannot_steer_a_terminal) {
  gguf_parts p;
  p.u32("\x1b[2J\n", 1).u32("\x1b[2J\n", 2);
  BOOST_TEST(refuses(p, "'\\x1b[2J\\x0a'"));
}

// Comparing each with each would take longer than the tests may.
BOOST_AUTO_TEST_CASE(half_a_million_keys_are_read) {
  gguf_parts p;
  for (int i = 0; i < 500000; ++i) p.entry(std::to_string(i), 0).put(std::uint8_t{1});
  BOOST_TEST(parse(p.file()).entries().size() == 500000u);
}

BOOST_AUTO_TEST_CASE(alignment_is_a_power_of_two_of_at_most_a_mebibyte) {
  for (const std::uint32_t bad : {0u, 3u, 33u, 1u << 21, 0x80000000u}) {
    gguf_parts p;
    BOOST_TEST(refuses(p.u32("general.alignment", bad), "general.alignment is"));
  }
  gguf_parts wrong_type;
  wrong_type.entry("general.alignment", 10).put(std::uint64_t{32});
  BOOST_TEST(refuses(wrong_type, "expected u32"));
  gguf_parts wide;
  wide.u32("general.alignment", 128).tensor("x", {32});
  BOOST_CHECK_NO_THROW(parse(wide.file(128)));
}

BOOST_AUTO_TEST_CASE(dimensions_are_counted_and_multiplied_safely) {
  BOOST_TEST(refuses(one_tensor({1, 1, 1, 1, 1}, 0, 0), "5 dimensions"));
  BOOST_TEST(refuses(one_tensor({8, 0}, 0, 0), "dimension of 0"));
  BOOST_TEST(refuses(one_tensor({top, top}, 0, 0), "too large"));
  BOOST_TEST(refuses(one_tensor({std::uint64_t{1} << 32, std::uint64_t{1} << 32}, 0, 0), "too large"));
  BOOST_TEST(refuses(one_tensor({std::uint64_t{1} << 62}, 0, 0), "too large"));
  BOOST_TEST(refuses(one_tensor({std::uint64_t{1} << 60}, 0, 0), "the file ends at"));
  BOOST_CHECK_NO_THROW(parse(one_tensor({8}, 0, 0).file()));
  gguf_parts p;
  p.n_tensors = 1;
  p.tensors.string("t").put(0xffffffffu).zeros(64);
  BOOST_TEST(refuses(p, "4294967295 dimensions"));
}

BOOST_AUTO_TEST_CASE(types_are_known_and_rows_fill_blocks) {
  for (const std::uint32_t type : {4u, 5u, 31u, 36u, 99u, 0xffffffffu}) {
    BOOST_TEST(refuses(one_tensor({8}, type, 0), "type number"));
  }
  BOOST_TEST(refuses(one_tensor({31}, 2, 0), "do not fill whole Q4_0 blocks of 32"));
  BOOST_TEST(refuses(one_tensor({16, 2}, 8, 0), "do not fill whole Q8_0 blocks"));
}

BOOST_AUTO_TEST_CASE(data_is_inside_the_file_in_order_and_without_gaps) {
  BOOST_TEST(refuses(one_tensor({9}, 0, 0), "needs 36 bytes"));
  BOOST_TEST(refuses(one_tensor({8}, 0, 32), "expected 0"));
  BOOST_TEST(refuses(one_tensor({8}, 0, 1), "expected 0"));
  BOOST_TEST(refuses(one_tensor({8}, 0, top - 31), "expected 0"));
  gguf_parts overlap, gap, swapped, tail;
  overlap.info("a", {8}, 0, 0).info("b", {8}, 0, 0).data.zeros(64);
  BOOST_TEST(refuses(overlap, "overlap or leave a gap"));
  gap.info("a", {8}, 0, 0).info("b", {8}, 0, 64).data.zeros(96);
  BOOST_TEST(refuses(gap, "expected 32"));
  swapped.info("a", {8}, 0, 32).info("b", {8}, 0, 0).data.zeros(64);
  BOOST_CHECK_NO_THROW(parse(swapped.file()));
  tail.info("a", {8}, 0, 0).data.zeros(64);
  BOOST_TEST(refuses(tail, "after the last tensor"));
}

BOOST_AUTO_TEST_CASE(getters_refuse_other_types_and_ranges_with_the_key) {
  gguf_parts p;
  p.text("s", "x").f32("f", 1).entry("i", 5).put(std::int32_t{-1});
  p.entry("big", 10).put(top);
  p.entry("words", 9).put(std::uint32_t{8}).put(std::uint64_t{1}).string("w");
  p.entry("wide", 9).put(std::uint32_t{10}).put(std::uint64_t{1}).put(top);
  const byte_writer bytes = p.file();
  const gguf_file f = parse(bytes);
  BOOST_TEST(
      fails_with(status::data, "'s' is of type string, expected an integer", [&] { f.find_u32("s"); }));
  BOOST_TEST(fails_with(status::data, "'i' = -1 is out of range", [&] { f.find_u32("i"); }));
  BOOST_TEST(fails_with(status::data, "out of range", [&] { f.find_u32("big"); }));
  BOOST_TEST(fails_with(status::data, "out of range", [&] { f.find_i64("big"); }));
  BOOST_TEST(fails_with(status::data, "expected an integer", [&] { f.find_u32("f"); }));
  BOOST_TEST(fails_with(status::data, "expected a float", [&] { f.find_float("i"); }));
  BOOST_TEST(fails_with(status::data, "expected a bool", [&] { f.find_bool("i"); }));
  BOOST_TEST(fails_with(status::data, "expected a string", [&] { f.find_string("words"); }));
  BOOST_TEST(fails_with(status::data, "expected an array of strings", [&] { f.find_strings("s"); }));
  BOOST_TEST(fails_with(status::data, "an array of string", [&] { f.find_ints("words"); }));
  BOOST_TEST(fails_with(status::data, "expected an array of f32", [&] { f.find_floats("words"); }));
  BOOST_TEST(fails_with(status::data, "element 0", [&] { f.find_ints("wide"); }));
  BOOST_TEST(fails_with(status::data, "metadata key 'gone' is missing", [&] { f.require_string("gone"); }));
}

BOOST_AUTO_TEST_CASE(a_file_on_disk_keeps_its_views_when_it_is_moved) {
  const test::scratch_folder folder;
  gguf_file a(folder.write("m.gguf", test::text_of(small_file())));
  const gguf_file b = std::move(a);
  BOOST_TEST(b.require_strings("words")[1] == "bc");
  BOOST_TEST((b.find_bools("flags").value() == std::vector<bool>{true, false}));
}

BOOST_AUTO_TEST_CASE(real_vocabularies_are_read_whole,
                     *boost::unit_test::precondition(test::with_reference)) {
  const std::pair<const char*, std::size_t> files[] = {
      {"falcon", 65024},    {"gpt-2", 50257}, {"gpt-neox", 50432}, {"llama-bpe", 128256},
      {"llama-spm", 32000}, {"phi-3", 32064}, {"qwen2", 151936}};
  for (const auto& [name, tokens] : files) {
    const gguf_file f(test::reference_path() / "tokenizers" / cat("ggml-vocab-", name, ".gguf"));
    BOOST_TEST(f.require_strings("tokenizer.ggml.tokens").size() == tokens, name);
    BOOST_TEST(f.find_ints("tokenizer.ggml.token_type").value().size() == tokens, name);
  }
}

BOOST_AUTO_TEST_SUITE_END()
