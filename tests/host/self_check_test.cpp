// SPDX-License-Identifier: Apache-2.0
// The checks of a loaded model: every family passes them on a backend that is right, and each fault that a
// backend could have is refused by the name of the check that sees it.
#include "model/self_check.hpp"
#include "host/faulty_backend.hpp"
#include "host/made_model.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace depthlens;
using namespace depthlens::test;

BOOST_AUTO_TEST_SUITE(self_checks)

namespace {

// A family's model with weights about as large as those of real models, norms far from 1.
made_model model_of(const family_model& m, float factor = 1) {
  const std::string epsilon = m.keys.find("n_embd") != std::string::npos ? R"("layer_norm_epsilon":0.01)"
                              : m.name == "gpt_neox"                     ? R"("layer_norm_eps":0.01)"
                              : m.name == "opt"                          ? ""
                                                                         : R"("rms_norm_eps":0.01)";
  return made_model(
      m,
      [&](std::size_t i) {
        return factor * static_cast<float>(std::sin(1.0 + 0.7 * static_cast<double>(i * i % 1009)) + 0.2);
      },
      epsilon);
}

void check_refused(const family_model& m, fault f, const std::string& name) {
  BOOST_TEST_CONTEXT(m.name << ", fault " << static_cast<int>(f)) {
    const made_model model = model_of(m);
    const faulty_backend backend(model.files, f);
    BOOST_TEST(fails_with(status::internal, "self-check \"" + name + "\" failed",
                          [&] { self_check(model.files, backend.c(), {.token = 2}); }));
    BOOST_TEST(fails_with(status::internal, "--skip-check " + name,
                          [&] { self_check(model.files, backend.c(), {.token = 2}); }));
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_family_passes_on_a_backend_that_reads_as_the_interface_says) {
  for (const family_model& m : family_models()) {
    BOOST_TEST_CONTEXT(m.name) {
      const made_model model = model_of(m);
      const faulty_backend backend(model.files, fault::none);
      const boost::json::object result = self_check(model.files, backend.c(), {.token = 2});
      BOOST_TEST(result.size() == 4U);
      // It gives no states; tests/backend/block_check_test.cpp has backends that do.
      BOOST_TEST(result.at("blocks").at("result").as_string() == "not applicable");
      for (const auto& [name, one] : result) {
        if (name == "blocks") continue;
        BOOST_TEST(one.at("result").as_string() == "passed", name);
        BOOST_TEST(one.at("largest_difference").as_double() < 1e-3, name);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_norm_that_is_absent_or_frozen_is_refused) {
  for (const family_model& m : family_models()) {
    check_refused(m, fault::no_norm, "scale");
    check_refused(m, fault::frozen_norm, "scale");
  }
}

BOOST_AUTO_TEST_CASE(parts_of_the_readout_that_are_forgotten_are_refused) {
  for (const family_model& m : family_models()) check_refused(m, fault::next_row, "readout");
  for (const family_model& m : {gpt2_model(), gptj_model(), opt_model(), gpt_neox_model()})
    check_refused(m, fault::no_norm_bias, "readout");
  for (const family_model& m : {gemma2_model(), gemma3_model()})
    check_refused(m, fault::no_norm_offset, "readout");
  check_refused(gptj_model(), fault::no_head_bias, "readout");
  for (const family_model& m : {gpt2_model(), qwen2_model(), gemma2_model()})
    check_refused(m, fault::no_epsilon, "readout");
  for (const family_model& m : {gpt2_model(), opt_model()}) check_refused(m, fault::no_position, "readout");
}

BOOST_AUTO_TEST_CASE(a_soft_cap_that_is_forgotten_is_refused) {
  check_refused(gemma2_model(), fault::no_softcap, "readout");
  check_refused(gemma2_model(), fault::softcap_of_output, "readout");
}

BOOST_AUTO_TEST_CASE(a_last_layer_that_is_not_the_output_is_refused) {
  check_refused(qwen2_model(), fault::normed_output, "output");
  check_refused(gemma2_model(), fault::normed_output, "output");
}

BOOST_AUTO_TEST_CASE(readings_that_are_no_numbers_are_refused) {
  check_refused(qwen2_model(), fault::not_a_number, "scale");
}

BOOST_AUTO_TEST_CASE(weights_that_are_no_numbers_are_the_file_s_fault) {
  const made_model model = model_of(qwen2_model(), std::numeric_limits<float>::quiet_NaN());
  const faulty_backend backend(model.files, fault::none);
  for (const std::vector<std::string>& skipped :
       {std::vector<std::string>{}, {"scale"}, {"scale", "readout"}})
    BOOST_TEST(fails_with(status::data, model.folder.path().string() + ": the weights give",
                          [&] { self_check(model.files, backend.c(), {.token = 2, .skipped = skipped}); }));
}

BOOST_AUTO_TEST_CASE(a_check_that_is_skipped_is_said_to_be_skipped_and_the_next_one_sees_the_fault) {
  const made_model model = model_of(gemma2_model());
  const faulty_backend backend(model.files, fault::softcap_of_output);
  BOOST_TEST(fails_with(status::internal, "self-check \"output\" failed",
                        [&] { self_check(model.files, backend.c(), {.token = 2, .skipped = {"readout"}}); }));
  const boost::json::object result =
      self_check(model.files, backend.c(), {.token = 2, .skipped = {"readout", "output"}});
  BOOST_TEST(result.at("readout").at("result").as_string() == "skipped");
  BOOST_TEST(!result.at("readout").as_object().contains("largest_difference"));
  BOOST_TEST(result.at("scale").at("result").as_string() == "passed");
}

BOOST_AUTO_TEST_CASE(skipped_checks_are_named_or_all) {
  BOOST_TEST((parse_skipped_checks("") == std::vector<std::string>{}));
  BOOST_TEST((parse_skipped_checks("output,scale") == std::vector<std::string>{"output", "scale"}));
  BOOST_TEST((parse_skipped_checks("blocks") == std::vector<std::string>{"blocks"}));
  BOOST_TEST(parse_skipped_checks("all").size() == 4U);
  BOOST_TEST(fails_with(status::usage, "--skip-check norm", [] { parse_skipped_checks("norm"); }));
}

BOOST_AUTO_TEST_SUITE_END()
