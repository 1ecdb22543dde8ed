// SPDX-License-Identifier: Apache-2.0
// Models whose weights are files of torch.save: pytorch_model.bin, its shards, and what is wrong with them.
#include "depthlens/model/model_files.hpp"

#include "support/tiny_models.hpp"
#include "support/torch_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(torch_weights)

namespace {

using namespace depthlens;
using namespace depthlens::test;

// A state dictionary of F32 tensors whose bytes are all `fill`.
std::string checkpoint(const std::vector<named_shape>& tensors, char fill) {
  std::string dict = pkl_ordered_dict() + "(";
  std::vector<zip_part> parts{{"archive/data.pkl", ""}};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::int64_t n = 1;
    for (const std::uint64_t d : tensors[i].shape) n *= static_cast<std::int64_t>(d);
    std::string shape = "(", strides = "(";
    std::int64_t stride = n;
    for (const std::uint64_t d : tensors[i].shape) {
      stride /= static_cast<std::int64_t>(d);
      shape += pkl_long(static_cast<std::int64_t>(d));
      strides += pkl_long(stride);
    }
    dict += pkl_text(tensors[i].name) +
            pkl_tensor(pkl_storage("FloatStorage", cat(i), n), 0, shape + "t", strides + "t");
    parts.push_back({cat("archive/data/", i), std::string(static_cast<std::size_t>(n) * 4, fill)});
  }
  parts[0] = {"archive/data.pkl", pickle_of(dict + "u")};
  return zip_of(parts);
}

const std::string config = tiny_config_with(R"("tie_word_embeddings":true)");

std::string index_of(const std::vector<named_shape>& tensors, std::size_t first_part) {
  std::string map;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    map += cat(i > 0 ? "," : "", '"', tensors[i].name, "\":\"pytorch_model-0000", i < first_part ? 1 : 2,
               "-of-00002.bin\"");
  return "{\"weight_map\":{" + map + "}}";
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_checkpoint_gives_the_tensors_of_the_same_safetensors) {
  const scratch_folder torch, safe;
  for (const scratch_folder* folder : {&torch, &safe}) folder->write("config.json", config);
  torch.write("pytorch_model.bin", checkpoint(tiny_folder_tensors(), '\x3c'));
  safe.write("model.safetensors", safetensors_text(tiny_folder_tensors(), '\x3c'));
  const model_files a = model_files::open(torch.path()), b = model_files::open(safe.path());
  BOOST_REQUIRE_EQUAL(a.tensors().size(), b.tensors().size());
  for (std::size_t i = 0; i < a.tensors().size(); ++i) {
    const tensor_view &x = a.tensors()[i], &y = b.tensors()[i];
    BOOST_TEST(x.name == y.name);
    BOOST_TEST(x.shape == y.shape, boost::test_tools::per_element());
    BOOST_TEST((x.bytes == y.bytes && std::memcmp(x.data, y.data, x.bytes) == 0), x.name);
  }
  BOOST_TEST(a.content_hash() != b.content_hash());
  BOOST_TEST(std::string_view(a.raw_tensors()[0].type_name) == "F32");
}

BOOST_AUTO_TEST_CASE(safetensors_are_taken_where_both_are_there) {
  const scratch_folder folder;
  folder.write("config.json", config);
  folder.write("model.safetensors", safetensors_text(tiny_folder_tensors(), '\x3c'));
  folder.write("pytorch_model.bin", "not looked at");
  BOOST_CHECK_NO_THROW(model_files::open(folder.path()));
}

BOOST_AUTO_TEST_CASE(shards_are_found_by_their_index) {
  const scratch_folder folder;
  folder.write("config.json", config);
  const std::vector<named_shape> all = tiny_folder_tensors();
  const std::vector<named_shape> one(all.begin(), all.begin() + 5), two(all.begin() + 5, all.end());
  folder.write("pytorch_model-00001-of-00002.bin", checkpoint(one, 1));
  folder.write("pytorch_model.bin.index.json", index_of(all, 5));
  check_fails([&] { model_files::open(folder.path()); }, status::no_input, "pytorch_model-00002-of-00002.bin",
              "missing");
  folder.write("pytorch_model-00002-of-00002.bin", checkpoint(two, 1));
  BOOST_TEST(model_files::open(folder.path()).raw_tensors().size() == all.size());
  folder.write("pytorch_model.bin.index.json", index_of(all, 6));
  check_fails([&] { model_files::open(folder.path()); }, status::data, "is not in its shard");
  folder.write("pytorch_model-00001-of-00002.bin", checkpoint(all, 1));
  check_fails([&] { model_files::open(folder.path()); }, status::data, "is in another shard too");
  folder.write("pytorch_model.bin.index.json", R"({"weight_map":{"a":"../x.bin"}})");
  check_fails([&] { model_files::open(folder.path()); }, status::data, "not a plain *.bin file name");
}

BOOST_AUTO_TEST_CASE(a_changed_weight_is_found_by_its_checksum_when_the_model_is_opened) {
  const scratch_folder folder;
  folder.write("config.json", config);
  std::string file = checkpoint(tiny_folder_tensors(), '\x3c');
  const std::size_t at = file.find(std::string(64, '\x3c'));
  file[at + 7] = '\x3d';
  folder.write("pytorch_model.bin", file);
  check_fails([&] { model_files::open(folder.path()); }, status::data, "pytorch_model.bin", "CRC");
  BOOST_CHECK_NO_THROW(model_files::open_raw(folder.path()));
}

BOOST_AUTO_TEST_SUITE_END()
