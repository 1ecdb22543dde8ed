// SPDX-License-Identifier: Apache-2.0
// Files of named tensors as we write them: params.pt as torch.save lays it out, and safetensors, read back by
// our own readers. That PyTorch reads the former is checked where a lens is trained.
#include "depthlens/files/torch_writer.hpp"
#include "depthlens/files/safetensors.hpp"
#include "depthlens/files/safetensors_writer.hpp"
#include "depthlens/files/torch_file.hpp"

#include "support/data_files.hpp"
#include "support/torch_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(tensor_writers)

namespace {

using namespace depthlens;
using test::scratch_folder;

struct three_tensors {
  std::vector<float> weight{0.5f, -1, 2, 3.25f, -0.0f, 1e-30f}, bias{7, 8, 9}, one{-3};
  std::vector<named_floats> list{{"0.weight", {2, 3}, weight}, {"0.bias", {3}, bias}, {"scalar", {}, one}};
};

void check_values(const std::string& name, const std::vector<float>& got, const three_tensors& want) {
  for (const named_floats& t : want.list) {
    if (t.name != name) continue;
    BOOST_TEST(got.size() == t.values.size());
    BOOST_TEST(std::memcmp(got.data(), t.values.data(), t.values.size_bytes()) == 0, name);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_state_dictionary_comes_back_in_order_and_to_the_bit) {
  const scratch_folder folder;
  const three_tensors given;
  const auto path = folder.path() / "params.pt";
  write_state_dict(path, given.list);
  const torch_file file(path);
  const std::vector<torch_tensor> read = file.state_dict();
  BOOST_REQUIRE_EQUAL(read.size(), given.list.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    BOOST_TEST(read[i].view.name == given.list[i].name);
    BOOST_TEST(read[i].view.shape == given.list[i].shape, boost::test_tools::per_element());
    std::vector<float> values(given.list[i].values.size());
    file.read(read[i], values.data());
    check_values(read[i].view.name, values, given);
  }
}

BOOST_AUTO_TEST_CASE(tensor_data_lie_at_multiples_of_64_bytes_and_nothing_depends_on_the_day) {
  const scratch_folder folder;
  const three_tensors given;
  write_state_dict(folder.path() / "params.pt", given.list);
  const std::string bytes = test::read_bytes(folder.path() / "params.pt");
  for (const named_floats& t : given.list) {
    const std::size_t at = bytes.find(t.bytes());
    BOOST_REQUIRE(at != std::string::npos);
    BOOST_TEST(at % 64 == 0U, t.name << " at " << at);
  }
  write_state_dict(folder.path() / "params.pt", given.list);
  BOOST_TEST((test::read_bytes(folder.path() / "params.pt") == bytes));
}

BOOST_AUTO_TEST_CASE(the_checksum_is_that_of_zip_for_every_length) {
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(zip_crc32(bytes) == test::crc32_of(bytes));
    bytes += static_cast<char>(i * 37);
  }
}

BOOST_AUTO_TEST_CASE(a_safetensors_file_comes_back_with_its_metadata) {
  const scratch_folder folder;
  const three_tensors given;
  const auto path = folder.path() / "a.safetensors";
  write_safetensors(path, given.list, {{"format", "pt"}});
  const safetensors_file file(path);
  BOOST_REQUIRE_EQUAL(file.tensors().size(), given.list.size());
  for (const safetensors_tensor& t : file.tensors()) {
    std::vector<float> values(t.view.bytes / sizeof(float));
    std::memcpy(values.data(), t.view.data, t.view.bytes);
    check_values(t.view.name, values, given);
  }
  BOOST_TEST(test::read_bytes(path).find(R"({"__metadata__":{"format":"pt"})") == 8U);
}

BOOST_AUTO_TEST_CASE(a_safetensors_file_written_piece_by_piece_in_any_order_is_the_same) {
  const scratch_folder folder;
  const three_tensors given;
  write_safetensors(folder.path() / "at_once", given.list, {{"format", "pt"}});
  std::vector<tensor_shape> shapes;
  for (const named_floats& t : given.list) shapes.push_back({t.name, t.shape});
  safetensors_file_writer out(folder.path() / "in_pieces", shapes, {{"format", "pt"}});
  for (std::size_t n = given.list.size(); n-- > 0;)
    for (std::size_t i = given.list[n].values.size(); i-- > 0;)
      out.write(n, i, given.list[n].bytes().substr(i * sizeof(float), sizeof(float)));
  out.commit();
  BOOST_TEST((test::read_bytes(folder.path() / "in_pieces") == test::read_bytes(folder.path() / "at_once")));
}

BOOST_AUTO_TEST_CASE(a_safetensors_file_with_values_missing_or_behind_a_tensor_does_not_appear) {
  const scratch_folder folder;
  const std::vector<tensor_shape> shapes = {{"a", {2, 3}}, {"b", {1}}};
  const std::string two(2 * sizeof(float), 'x');
  safetensors_file_writer out(folder.path() / "short", shapes);
  test::check_fails([&] { out.write(0, 5, two); }, status::internal, "behind the end of a");
  out.write(0, 4, two);
  test::check_fails([&] { out.commit(); }, status::internal, "bytes are not written");
  BOOST_TEST(!std::filesystem::exists(folder.path() / "short"));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_created_is_refused_by_its_name) {
  const scratch_folder folder;
  const three_tensors given;
  test::check_fails([&] { write_state_dict(folder.path() / "none" / "params.pt", given.list); },
                    status::cannot_create, "params.pt");
}

BOOST_AUTO_TEST_SUITE_END()
