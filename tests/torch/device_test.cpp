// SPDX-License-Identifier: Apache-2.0
// What the engine finds out about the libtorch that it runs on, and how it sets it up.
#include "plugins/torch/device.hpp"

#include "depthlens/base/error.hpp"

#include <ATen/Context.h>
#include <torch/csrc/api/include/torch/version.h>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>
#include <string_view>

BOOST_AUTO_TEST_SUITE(device)

using namespace depthlens::torch_backend;

BOOST_AUTO_TEST_CASE(the_folder_of_libtorch_is_where_its_library_lies) {
  const std::filesystem::path folder = libtorch_folder();
  BOOST_TEST(folder.is_absolute());
  BOOST_TEST(std::filesystem::exists(folder / "libtorch_cpu.so"));
}

BOOST_AUTO_TEST_CASE(numbers_are_deterministic_and_reduced_in_full_precision_and_new_tensors_are_not_filled) {
  const at::Context& context = at::globalContext();
  for (const bool tf32 : {true, false}) {
    set_numeric_options({at::kFloat, tf32});
    BOOST_TEST(context.allowTF32CuBLAS() == tf32);
    BOOST_TEST(context.allowTF32CuDNN() == tf32);
  }
  BOOST_TEST(context.deterministicAlgorithms());
  BOOST_TEST(context.deterministicAlgorithmsWarnOnly());
  BOOST_TEST(!context.deterministicFillUninitializedMemory());
  BOOST_TEST(!context.userEnabledCuDNNSDP());
}

BOOST_AUTO_TEST_CASE(a_libtorch_of_another_minor_version_than_the_engine_was_built_with_is_refused) {
  refuse_other_libtorch(libtorch_version());
  refuse_other_libtorch(TORCH_VERSION);
  for (const char* other : {"1.13.1", "2.99.0", "of unknown version"})
    BOOST_CHECK_EXCEPTION(refuse_other_libtorch(other), depthlens::error, [&](const depthlens::error& e) {
      const std::string_view text = e.what();
      return text.find(TORCH_VERSION) != text.npos && text.find(other) != text.npos;
    });
}

BOOST_AUTO_TEST_CASE(the_cpu_is_described_by_its_name_and_the_version_of_libtorch) {
  const std::string text = describe_devices({at::kCPU, at::kCPU}, {at::kFloat, false});
  BOOST_TEST(text.starts_with("cpu + cpu, libtorch " TORCH_VERSION));
  BOOST_TEST(text.ends_with(", deterministic"));
}

BOOST_AUTO_TEST_SUITE_END()
