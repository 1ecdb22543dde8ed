// SPDX-License-Identifier: Apache-2.0
// Files of torch.save that are good: one that PyTorch 2.11 wrote, and made ones.
#include "depthlens/files/torch_file.hpp"

#include "support/data_files.hpp"
#include "support/torch_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(torch_files)

namespace {

using namespace depthlens;
using test::scratch_folder;

std::vector<float> values_of(const torch_file& file, const torch_tensor& t) {
  std::size_t n = 1;
  for (const std::uint64_t d : t.view.shape) n *= static_cast<std::size_t>(d);
  std::vector<float> out(n);
  file.read(t, out.data());
  return out;
}

std::filesystem::path real_file() {
  const char* source = std::getenv("DEPTHLENS_SOURCE");
  BOOST_REQUIRE_MESSAGE(source != nullptr,
                        "DEPTHLENS_SOURCE does not name the source tree; run the tests by ctest");
  return std::filesystem::path(source) / "tests/data/torch_lens.pt";
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_file_that_pytorch_wrote_gives_its_values) {
  const torch_file file(real_file());
  std::map<std::string, torch_tensor> by_name;
  std::vector<std::string> order;
  for (const torch_tensor& t : file.state_dict()) {
    order.push_back(t.view.name);
    by_name.emplace(t.view.name, t);
  }
  BOOST_TEST(order == (std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias", "half", "brain",
                                                "double", "ids", "mask", "part", "parameter"}),
             boost::test_tools::per_element());
  for (int i = 0; i < 2; ++i) {
    std::vector<float> weight;
    for (int k = 0; k < 9; ++k) weight.push_back(static_cast<float>(k - 4) / 8 + static_cast<float>(i));
    const torch_tensor& w = by_name.at(cat(i, ".weight"));
    BOOST_TEST(w.view.shape == (std::vector<std::uint64_t>{3, 3}), boost::test_tools::per_element());
    BOOST_TEST(values_of(file, w) == weight, boost::test_tools::per_element());
    const float k = static_cast<float>(i + 1);
    BOOST_TEST(
        values_of(file, by_name.at(cat(i, ".bias"))) == (std::vector<float>{0.5f * k, -0.25f * k, 3 * k}),
        boost::test_tools::per_element());
  }
  const auto check = [&](const char* name, const char* type, const std::vector<float>& values) {
    BOOST_TEST(std::string_view(by_name.at(name).type_name) == type);
    BOOST_TEST(values_of(file, by_name.at(name)) == values, boost::test_tools::per_element());
  };
  check("half", "F16", {1.5f, -2, 0.25f, 65504});
  check("brain", "BF16", {1, -3});
  check("double", "F64", {0.125f, -7});
  check("part", "F32", {4, 5, 6});
  check("parameter", "F32", {2});
}

BOOST_AUTO_TEST_CASE(integers_and_masks_are_listed_and_not_read_as_numbers) {
  const torch_file file(real_file());
  for (const torch_tensor& t : file.state_dict()) {
    if (t.view.name != "ids" && t.view.name != "mask") continue;
    BOOST_TEST(static_cast<int>(t.view.type) == static_cast<int>(dtype::other));
    test::check_fails([&] { values_of(file, t); }, status::data, t.type_name, "floating-point");
  }
}

BOOST_AUTO_TEST_CASE(nested_dictionaries_lists_and_numbers_are_read) {
  const scratch_folder folder;
  const std::string body = "}" + test::pkl_text("J") + "}" + test::pkl_int(7) + test::pkl_good_tensor() +
                           "s" + "s" + test::pkl_text("n") + "K\x08" + "s" + test::pkl_text("layers") +
                           "](K\x07K\x09" + "es" + test::pkl_text("x") + "G\x3f\xf8" + std::string(6, '\0') +
                           "s" + test::pkl_text("low") + "\x8a\x01\xff" + "s";
  const torch_file file(folder.write("a.pt", test::zip_of(test::torch_parts(test::pickle_of(body)))));
  const pickle_view root = file.root();
  BOOST_REQUIRE_EQUAL(root.size(), 10U);
  BOOST_TEST(root.item(1).item(0).node().integer == 7);
  const torch_tensor* tensor = file.find_tensor(root.item(1).item(1));
  BOOST_REQUIRE(tensor != nullptr);
  BOOST_TEST(values_of(file, *tensor) == (std::vector<float>{0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f}),
             boost::test_tools::per_element());
  BOOST_TEST(root.item(3).node().integer == 8);
  BOOST_TEST(root.item(5).item(1).node().integer == 9);
  BOOST_TEST(root.item(7).node().real == 1.5);
  BOOST_TEST(root.item(9).node().integer == -1);
  test::check_fails([&] { file.state_dict(); }, status::data, "no tensor");
}

BOOST_AUTO_TEST_CASE(archives_with_and_without_zip64_and_later_sizes_are_the_same) {
  const scratch_folder folder;
  for (const bool zip64 : {false, true})
    for (const std::uint16_t flags : {std::uint16_t{0}, std::uint16_t{0x0808}}) {
      std::vector<test::zip_part> parts =
          test::torch_parts(test::pickle_of(test::dict_of(test::pkl_good_tensor())));
      for (test::zip_part& p : parts) p.flags = flags;
      const torch_file file(folder.write("a.pt", test::zip_of(parts, {.zip64 = zip64})));
      BOOST_TEST(values_of(file, file.state_dict().at(0)).back() == 5.5f);
    }
}

BOOST_AUTO_TEST_SUITE_END()
