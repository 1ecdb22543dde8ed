// SPDX-License-Identifier: Apache-2.0
// Devices of one run: which texts of backends mean the same, and which records were computed on which.
#include "results/run_device.hpp"

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(run_devices)

namespace {

using namespace depthlens;
using test::check_fails;

boost::json::object run_on(const std::vector<std::string>& devices) {
  boost::json::object out;
  out["backend"] = {{"device", devices.back()}, {"devices", boost::json::value_from(devices)}};
  return out;
}

void add(device_records& to, const char* set, std::uint64_t index, const char* device) {
  entry_writer out({set, index, 0});
  if (device != nullptr) out.device(device);
  to.add(entry(out.take(), "log"));
}

const std::string avx = "cpu (AVX2), oneDNN 2.6.3 (AVX2)", sse = "cpu (baseline), oneDNN 2.6.3 (SSE4.1)";

}  // namespace

BOOST_AUTO_TEST_CASE(
    instruction_sets_libraries_and_models_of_gpus_tell_devices_apart_and_their_numbers_do_not) {
  const auto same = [](const std::string& a, const std::string& b) {
    return device_class(a) == device_class(b);
  };
  BOOST_TEST(same("cuda:0 (A100), libtorch 2.3", "cuda:1 (A100), libtorch 2.3"));
  BOOST_TEST(same("cuda:0 (A100) + cuda:1 (A100), libtorch 2.3", "cuda:3 (A100), libtorch 2.3"));
  BOOST_TEST(!same("cuda:0 (A100), libtorch 2.3", "cuda:0 (H100), libtorch 2.3"));
  BOOST_TEST(!same("cuda:0 (A100) + cuda:1 (H100), libtorch 2.3", "cuda:0 (A100), libtorch 2.3"));
  BOOST_TEST(!same("cuda:0 (A100), libtorch 2.3", "cuda:0 (A100), libtorch 2.4"));
  BOOST_TEST(!same(avx, sse));
  BOOST_TEST(!same(avx, "cpu (AVX2), oneDNN 3.0.0 (AVX2)"));
  BOOST_TEST(device_class("cuda:1 (NVIDIA A100), libtorch 2.3") == "cuda (NVIDIA A100), libtorch 2.3");
  for (const std::string text : {"", "fake", "a:b, c:1", " + , "}) BOOST_TEST(same(text, text));
}

BOOST_AUTO_TEST_CASE(a_run_goes_on_on_another_device_only_where_that_is_asked_for) {
  constexpr auto refused = mixed_devices::refused;
  BOOST_TEST(take_device({}, avx, refused, "/run") == std::vector<std::string>{avx},
             boost::test_tools::per_element());
  BOOST_TEST(take_device(run_on({avx}), avx, refused, "/run").size() == 1U);
  check_fails([&] { take_device(run_on({sse}), avx, refused, "/run"); }, status::config, "/run", sse, avx,
              "--allow-mixed-devices", "--fresh");
  const auto both = take_device(run_on({sse}), avx, mixed_devices::allowed, "/run");
  BOOST_TEST(both == (std::vector<std::string>{sse, avx}), boost::test_tools::per_element());
  BOOST_TEST(take_device(run_on(both), sse, refused, "/run").size() == 2U);
  boost::json::object of_before;
  of_before["backend"] = {{"device", sse}};
  check_fails([&] { take_device(of_before, avx, refused, "/run"); }, status::config, sse, avx);
}

BOOST_AUTO_TEST_CASE(records_are_told_by_device_in_ranges) {
  device_records records;
  for (const std::uint64_t i : {0U, 1U, 2U, 5U}) add(records, "a", i, avx.c_str());
  for (const std::uint64_t i : {3U, 4U}) add(records, "a", i, sse.c_str());
  add(records, "a", 6, "");  // nothing was computed for it
  BOOST_TEST(records.devices() == 2U);
  add(records, "b", 0, nullptr);
  const boost::json::object ranges = records.ranges();
  BOOST_TEST((ranges.at(avx).at("a") == "0-2,5"));
  BOOST_TEST((ranges.at(sse).at("a") == "3-4"));
  BOOST_TEST((ranges.at("not recorded").at("b") == "0"));
}

BOOST_AUTO_TEST_SUITE_END()
