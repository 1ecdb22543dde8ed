// SPDX-License-Identifier: Apache-2.0
// Lenses by name, and tuned lenses read from safetensors: their layers, values, and what is wrong with a
// file.
#include "model/lens.hpp"

#include "depthlens/base/hash.hpp"
#include "model/opened_lens.hpp"
#include "support/model_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(lenses)

namespace {

using namespace depthlens;
using test::check_fails;
using test::scratch_folder;

constexpr std::uint32_t kLayers = 2, kWidth = 3;

struct lens_tensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::string dtype = "F32";
};

std::vector<lens_tensor> translators(std::uint32_t n = kLayers, std::uint64_t d = kWidth) {
  std::vector<lens_tensor> out;
  for (std::uint32_t i = 0; i < n; ++i) {
    out.push_back({cat(i, ".bias"), {d}});
    out.push_back({cat(i, ".weight"), {d, d}});
  }
  return out;
}

// A file whose float32 values count up from 0 over all tensors.
std::filesystem::path write_lens(const scratch_folder& folder, const std::vector<lens_tensor>& tensors) {
  std::string header;
  test::byte_writer data;
  float value = 0;
  for (const lens_tensor& t : tensors) {
    const std::size_t begin = data.size();
    std::string shape;
    std::uint64_t n = 1;
    for (const std::uint64_t d : t.shape) {
      shape += cat(shape.empty() ? "" : ",", d);
      n *= d;
    }
    for (std::uint64_t i = 0; i < n; ++i) {
      if (t.dtype == "F32")
        data.put(value++);
      else
        data.put(std::int64_t{1});
    }
    header += cat(header.empty() ? "" : ",", '"', t.name, "\":{\"dtype\":\"", t.dtype, "\",\"shape\":[",
                  shape, "],\"data_offsets\":[", begin, ',', data.size(), "]}");
  }
  test::byte_writer file;
  file.string("{" + header + "}").raw(data);
  folder.write("params.safetensors", test::text_of(file));
  return folder.path();
}

lens_file open(const std::filesystem::path& folder, bool published = false) {
  return lens_file(parse_lens("tuned=" + folder.string() + (published ? "@seed" : "")), kLayers, kWidth);
}

std::vector<float> values(const float* p, std::size_t n) { return {p, p + n}; }

std::vector<float> counting(float from, std::size_t n) {
  std::vector<float> out(n);
  std::iota(out.begin(), out.end(), from);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(names_of_lenses_are_read) {
  const lens_spec logit = parse_lens("logit");
  BOOST_TEST(logit.label == "logit");
  BOOST_TEST((logit.kind == lens_kind::logit));
  BOOST_TEST(parse_lens("mine-1_b:logit").label == "mine-1_b");

  const lens_spec tuned = parse_lens("tuned=a/b");
  BOOST_TEST(tuned.label == "tuned");
  BOOST_TEST((tuned.kind == lens_kind::tuned));
  BOOST_TEST(tuned.path == "a/b");
  BOOST_TEST(!tuned.published_alignment);
  BOOST_TEST(tuned.text == "tuned=a/b");

  const lens_spec published = parse_lens("old:tuned=C:/x=y@seed");
  BOOST_TEST(published.label == "old");
  BOOST_TEST(published.path == "C:/x=y");
  BOOST_TEST(published.published_alignment);
}

BOOST_AUTO_TEST_CASE(other_names_are_refused) {
  for (const char* bad : {"", "Logit", "x", "logit=", "tuned", ":logit", "a b:logit", "a/b:logit",
                          "../x:tuned=d", "a:b:logit", "jacobian", "logit@seed"})
    check_fails([&] { parse_lens(bad); }, status::usage, "--lens");
  const lens_spec jacobian = parse_lens("jacobian=a.pt");
  BOOST_TEST(jacobian.label == "jacobian");
  BOOST_TEST((jacobian.kind == lens_kind::jacobian));
  BOOST_TEST(jacobian.path == "a.pt");
  check_fails([] { parse_lens("jacobian="); }, status::usage, "--lens jacobian=");
  check_fails([] { parse_lens("tuned="); }, status::usage, "--lens tuned=");
  check_fails([] { parse_lens("tuned=@seed"); }, status::usage, "--lens tuned=@seed");
}

BOOST_AUTO_TEST_CASE(lenses_of_one_command_have_labels_of_their_own) {
  BOOST_REQUIRE_EQUAL(parse_lenses({}).size(), 1U);
  BOOST_TEST(parse_lenses({})[0].label == "logit");
  const std::vector<lens_spec> two = parse_lenses({"logit", "a:logit"});
  BOOST_REQUIRE_EQUAL(two.size(), 2U);
  BOOST_TEST(two[1].label == "a");
  check_fails(
      [] {
        parse_lenses({"logit", "logit"});
      },
      status::usage, "two lenses are called \"logit\"; give one a label: --lens LABEL:logit");
  check_fails(
      [] {
        parse_lenses({"a:logit", "a:tuned=d"});
      },
      status::usage, "two lenses are called \"a\"; give one another label: --lens LABEL:tuned=d");
}

BOOST_AUTO_TEST_CASE(the_logit_lens_reads_every_layer_as_it_is) {
  const lens_file lens(parse_lens("logit"), 3, 8);
  BOOST_TEST(lens.layers() == (std::vector<std::int32_t>{0, 1, 2, 3}), boost::test_tools::per_element());
  BOOST_REQUIRE_EQUAL(lens.transports().size(), 4U);
  for (std::uint32_t l = 0; l < 4; ++l) {
    BOOST_TEST(lens.transports()[l].layer == l);
    BOOST_TEST(lens.transports()[l].form == static_cast<std::uint32_t>(DLENS_TRANSPORT_IDENTITY));
  }
  BOOST_TEST(lens.sha256().empty());
}

BOOST_AUTO_TEST_CASE(translator_i_reads_layer_i_and_the_last_layer_is_the_models_own_output) {
  const scratch_folder folder;
  const lens_file lens = open(write_lens(folder, translators()));
  BOOST_TEST(lens.layers() == (std::vector<std::int32_t>{0, 1, 2}), boost::test_tools::per_element());
  BOOST_REQUIRE_EQUAL(lens.transports().size(), 3U);
  float at = 0;
  for (std::uint32_t l = 0; l < kLayers; ++l) {
    const dlens_transport& t = lens.transports()[l];
    BOOST_TEST(t.layer == l);
    BOOST_TEST(t.form == static_cast<std::uint32_t>(DLENS_TRANSPORT_RESIDUAL));
    BOOST_TEST(values(t.b, 3) == counting(at, 3), boost::test_tools::per_element());
    BOOST_TEST(values(t.a, 9) == counting(at + 3, 9), boost::test_tools::per_element());
    at += 12;
  }
  BOOST_TEST(lens.transports()[2].layer == kLayers);
  BOOST_TEST(lens.transports()[2].form == static_cast<std::uint32_t>(DLENS_TRANSPORT_IDENTITY));
  BOOST_TEST(lens.sha256() == sha256_file(folder.path() / "params.safetensors"));
}

BOOST_AUTO_TEST_CASE(with_the_published_alignment_translator_l_reads_the_output_of_block_l) {
  const scratch_folder folder;
  const lens_file lens = open(write_lens(folder, translators()), true);
  BOOST_TEST(lens.layers() == (std::vector<std::int32_t>{1, 2}), boost::test_tools::per_element());
  BOOST_REQUIRE_EQUAL(lens.transports().size(), 2U);
  BOOST_TEST(lens.transports()[1].layer == 2U);
  BOOST_TEST(lens.transports()[1].form == static_cast<std::uint32_t>(DLENS_TRANSPORT_RESIDUAL));
  BOOST_TEST(values(lens.transports()[0].b, 3) == counting(0, 3), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_said_with_what_to_do) {
  const scratch_folder folder;
  check_fails([&] { open(folder.path()); }, status::no_input, "params.safetensors", "params.pt");
}

BOOST_AUTO_TEST_CASE(a_lens_of_another_model_is_refused) {
  const scratch_folder folder;
  const std::string file = (folder.path() / "params.safetensors").string();
  write_lens(folder, translators(kLayers, kWidth + 1));
  check_fails([&] { open(folder.path()); }, status::data, file, "0.weight", "3");
  write_lens(folder, translators(1));
  check_fails([&] { open(folder.path()); }, status::data, file, "1.weight", "missing");
  write_lens(folder, {{"0.weight", {9}}, {"0.bias", {3}}});
  check_fails([&] { open(folder.path()); }, status::data, file, "0.weight", "shape");
  write_lens(folder, {{"0.weight", {3, 3}}, {"0.bias", {3, 1}}});
  check_fails([&] { open(folder.path()); }, status::data, file, "0.bias", "shape");
}

BOOST_AUTO_TEST_CASE(translators_that_are_no_floats_are_refused) {
  const scratch_folder folder;
  write_lens(folder, {{"0.weight", {3, 3}, "I64"}, {"0.bias", {3}}});
  check_fails([&] { open(folder.path()); }, status::data, "0.weight", "I64");
}

BOOST_AUTO_TEST_CASE(a_lens_with_more_translators_than_the_model_has_blocks_is_refused) {
  const scratch_folder folder;
  write_lens(folder, translators(kLayers + 1));
  check_fails([&] { open(folder.path()); }, status::data, "2.", "2 layers");
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_refused) {
  const scratch_folder folder;
  write_lens(folder, translators());
  const std::string whole = test::read_bytes(folder.path() / "params.safetensors");
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{20}, whole.size() - 1}) {
    folder.write("params.safetensors", whole.substr(0, size));
    check_fails([&] { open(folder.path()); }, status::data, "params.safetensors");
  }
}

BOOST_AUTO_TEST_SUITE_END()
