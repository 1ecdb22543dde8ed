// SPDX-License-Identifier: Apache-2.0
// Which tokens end a model's texts, by its files.
#include "depthlens/model/end_tokens.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(end_of_text_tokens)

namespace {

using namespace depthlens;
using test::check_fails;
using test::scratch_folder;
using ids = std::vector<std::int32_t>;

}  // namespace

BOOST_AUTO_TEST_CASE(a_number_a_list_and_none_are_read) {
  const scratch_folder folder;
  const auto ends = [&](const char* text) {
    return detail::end_tokens_in(folder.write("generation_config.json", text));
  };
  BOOST_TEST((ends(R"({"eos_token_id": 2})") == ids{2}));
  BOOST_TEST((ends(R"({"eos_token_id": [2, 128009]})") == ids{2, 128009}));
  BOOST_TEST((ends(R"({"text_config": {"eos_token_id": 5}})") == ids{5}));
  BOOST_TEST(ends(R"({"eos_token_id": null})").empty());
  BOOST_TEST(ends("{}").empty());
  BOOST_TEST(detail::end_tokens_in(folder.path() / "absent.json").empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_token_id_is_refused_with_file_and_key) {
  const scratch_folder folder;
  for (const char* text : {R"({"eos_token_id": "</s>"})", R"({"eos_token_id": -1})",
                           R"({"eos_token_id": [1.5]})", R"({"eos_token_id": 4294967296})"})
    check_fails([&] { detail::end_tokens_in(folder.write("config.json", text)); }, status::data,
                "config.json", "eos_token_id");
}

BOOST_AUTO_TEST_SUITE_END()
