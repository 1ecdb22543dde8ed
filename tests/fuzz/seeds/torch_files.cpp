// SPDX-License-Identifier: Apache-2.0
// Seeds of torch_zip and torch_pickle: state dictionaries and nested values, in archives of every accepted
// form.
#include "fuzz/seeds/seeds.hpp"

#include "support/torch_bytes.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens::fuzz {
namespace {

using namespace test;

std::string nested_values() {
  return "}" + pkl_text("J") + "}" + pkl_int(7) + pkl_good_tensor() + "s" + "s" + pkl_text("n") + "K\x08" +
         "s" + pkl_text("layers") + "](K\x07K\x09" + "es" + pkl_text("x") + "G\x3f\xf8" +
         std::string(6, '\0') + "s" + pkl_text("low") + "\x8a\x01\xff" + "s";
}

std::string state_dict() {
  return pkl_ordered_dict() + "q\x01(" + pkl_text("0.weight") + "q\x02" + pkl_good_tensor() +
         pkl_text("0.bias") +
         pkl_tensor(pkl_storage("HalfStorage", "0", 12), 3, pkl_ints({4}), pkl_ints({1})) + "u";
}

}  // namespace

void write_torch_seeds(const std::filesystem::path& dir) {
  const std::string one = pickle_of(dict_of(pkl_good_tensor()));
  put_seed(dir, "torch_pickle/one", one);
  put_seed(dir, "torch_pickle/nested", pickle_of(nested_values()));
  put_seed(dir, "torch_pickle/state_dict", pickle_of(state_dict()));
  put_seed(dir, "torch_pickle/memo",
           pickle_of("](N\x88\x89K\x01q\x05h\x05M\x01\x02)\x85r" + little(257u) + "j" + little(257u) + "e"));
  for (const bool zip64 : {false, true})
    for (const std::uint16_t flags : {std::uint16_t{0}, std::uint16_t{0x0808}}) {
      std::vector<zip_part> parts = torch_parts(one);
      for (zip_part& p : parts) p.flags = flags;
      put_seed(dir, cat("torch_zip/", zip64 ? "zip64" : "zip", flags != 0 ? "_later" : ""),
               zip_of(parts, {.zip64 = zip64}));
    }
}

}  // namespace depthlens::fuzz
