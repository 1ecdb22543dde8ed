// SPDX-License-Identifier: Apache-2.0
// Tuned lenses as tuned-lens writes them, Jacobian lenses, and controls made of lenses.
#include "model/lens.hpp"

#include "support/data_files.hpp"
#include "support/torch_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(torch_lenses)

namespace {

using namespace depthlens;
using namespace depthlens::test;

constexpr std::uint32_t kLayers = 2, kWidth = 3;

std::string floats(const std::vector<float>& values) {
  std::string out;
  for (const float v : values) out += little(v);
  return out;
}

// A 3 x 3 matrix, or a vector of 3, in its record.
std::string matrix_at(int record) {
  return pkl_tensor(pkl_storage("FloatStorage", cat(record), 9), 0, pkl_ints({3, 3}), pkl_ints({3, 1}));
}
std::string vector_at(int record) {
  return pkl_tensor(pkl_storage("FloatStorage", cat(record), 3), 0, pkl_ints({3}), pkl_ints({1}));
}

const std::vector<float> weight0 = {1, 2, 3, 4, 5, 6, 7, 8, 9}, weight1 = {0, 0, 1, 0, 1, 0, 1, 0, 0};
const std::vector<float> bias0 = {0.5f, 0, -1}, bias1 = {0, 0, 0};

std::string tuned_params(bool bias, const std::string& more = "") {
  std::string dict =
      pkl_ordered_dict() + "(" + pkl_text("0.weight") + matrix_at(0) + pkl_text("1.weight") + matrix_at(1);
  if (bias) dict += pkl_text("0.bias") + vector_at(2) + pkl_text("1.bias") + vector_at(3);
  return zip_of({{"params/data.pkl", pickle_of(dict + more + "u")},
                 {"params/data/0", floats(weight0)},
                 {"params/data/1", floats(weight1)},
                 {"params/data/2", floats(bias0)},
                 {"params/data/3", floats(bias1)}});
}

std::string config_with(const std::string& change = "", const std::string& to = "") {
  std::string text = R"({"base_model_name_or_path":"m","d_model":3,"num_hidden_layers":2,"bias":true,)"
                     R"("base_model_revision":null,"unembed_hash":"ab","lens_type":"linear_tuned_lens"})";
  if (!change.empty()) text.replace(text.find(change), change.size(), to);
  return text;
}

struct tuned_folder : scratch_folder {
  explicit tuned_folder(const std::string& config = config_with(), bool bias = true) {
    write("config.json", config);
    write("params.pt", tuned_params(bias));
  }
  lens_file open() const { return lens_file(parse_lens("tuned=" + path().string()), kLayers, kWidth); }
};

std::string jacobian(const std::string& layers, const std::string& entries) {
  return zip_of({{"j/data.pkl", pickle_of("}(" + pkl_text("J") + "}(" + layers + "u" + entries + "u")},
                 {"j/data/0", floats(weight0)},
                 {"j/data/1", floats(weight1)}});
}

lens_file open_jacobian(const scratch_folder& folder, const std::string& content,
                        std::uint32_t n_layers = 3) {
  return lens_file(parse_lens("jacobian=" + folder.write("lens.pt", content).string()), n_layers, kWidth);
}

std::vector<float> three(const float* p) { return {p, p + 3}; }

}  // namespace

BOOST_AUTO_TEST_CASE(a_folder_of_tuned_lens_is_read_with_what_it_says_of_its_model) {
  const tuned_folder folder;
  const lens_file lens = folder.open();
  BOOST_TEST(lens.layers() == (std::vector<std::int32_t>{0, 1, 2}), boost::test_tools::per_element());
  BOOST_TEST(lens.transports()[0].form == static_cast<std::uint32_t>(DLENS_TRANSPORT_RESIDUAL));
  BOOST_TEST(std::vector<float>(lens.transports()[0].a, lens.transports()[0].a + 9) == weight0,
             boost::test_tools::per_element());
  BOOST_TEST(three(lens.transports()[0].b) == bias0, boost::test_tools::per_element());
  BOOST_TEST(lens.transports()[2].form == static_cast<std::uint32_t>(DLENS_TRANSPORT_IDENTITY));
  BOOST_TEST(lens.about().unembed_hash.value() == "ab");
  BOOST_TEST(lens.about().model.value() == "m");
  BOOST_TEST(lens.about().dtype == "F32");
}

BOOST_AUTO_TEST_CASE(a_lens_without_biases_has_none) {
  const tuned_folder folder(config_with("\"bias\":true", "\"bias\":false"), false);
  BOOST_TEST(folder.open().transports()[0].b == nullptr);
}

BOOST_AUTO_TEST_CASE(a_config_that_does_not_fit_is_refused) {
  const auto refused = [](const std::string& change, const std::string& to, const char* reason) {
    const tuned_folder folder(config_with(change, to));
    check_fails([&] { folder.open(); }, status::data, "config.json", reason);
  };
  refused("\"d_model\":3", "\"d_model\":4", "models of width 4");
  refused("\"num_hidden_layers\":2", "\"num_hidden_layers\":3", "models of 3 layers");
  refused("linear_tuned_lens", "mlp_tuned_lens", "lens_type 'mlp_tuned_lens'");
  refused("\"d_model\":3,", "", "\"d_model\" is missing");
  const tuned_folder biased(config_with("\"bias\":true", "\"bias\":false"));
  check_fails([&] { biased.open(); }, status::data, "0.bias", "no part of a tuned lens");
  const tuned_folder bare(config_with(), false);
  check_fails([&] { bare.open(); }, status::data, "0.bias", "missing");
  const tuned_folder no_config;
  std::filesystem::remove(no_config.path() / "config.json");
  check_fails([&] { no_config.open(); }, status::no_input, "config.json");
  const tuned_folder extra;
  extra.write("params.pt", tuned_params(true, pkl_text("unembed") + vector_at(3)));
  check_fails([&] { extra.open(); }, status::data, "'unembed' is no part of a tuned lens");
}

BOOST_AUTO_TEST_CASE(the_matrix_of_block_l_carries_layer_l_plus_1) {
  const scratch_folder folder;
  const std::string layers = "K\x01" + matrix_at(1) + std::string("K\0", 2) + matrix_at(0);
  const lens_file lens =
      open_jacobian(folder, jacobian(layers, pkl_text("n_prompts") + "K\x08" + pkl_text("d_model") + "K\x03" +
                                                 pkl_text("source_layers") + "](" + std::string("K\0", 2) +
                                                 "K\x01"
                                                 "e"));
  BOOST_TEST(lens.layers() == (std::vector<std::int32_t>{1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(lens.transports()[0].form == static_cast<std::uint32_t>(DLENS_TRANSPORT_FULL));
  BOOST_TEST(std::vector<float>(lens.transports()[0].a, lens.transports()[0].a + 9) == weight0,
             boost::test_tools::per_element());
  BOOST_TEST(lens.transports()[0].b == nullptr);
  BOOST_TEST(lens.transports()[2].form == static_cast<std::uint32_t>(DLENS_TRANSPORT_IDENTITY));
  BOOST_TEST(lens.about().n_prompts.value() == 8u);
  // The output of the last block needs no matrix.
  BOOST_TEST(open_jacobian(folder, jacobian(layers, ""), 2).layers() == (std::vector<std::int32_t>{1, 2}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_block_that_the_matrices_of_a_jacobian_lens_lead_to_is_read_where_it_is_named) {
  const scratch_folder folder;
  const std::string layers = std::string("K\0", 2) + matrix_at(0);
  const auto target = [&](const std::string& entries) {
    return open_jacobian(folder, jacobian(layers, entries)).about().target_layer;
  };
  BOOST_TEST(!target(""));
  BOOST_TEST(!target(pkl_text("target_layer") + "N"));
  BOOST_TEST(target(pkl_text("target_layer") + "K\x01").value() == 1);
  BOOST_TEST(target(pkl_text("target_block") + pkl_int(-2)).value() == -2);
  BOOST_TEST(target(pkl_text("config") + "}(" + pkl_text("target_layer") + "K\x01" + "u").value() == 1);
  check_fails([&] { target(pkl_text("target_layer") + pkl_text("last")); }, status::data, "lens.pt",
              "target_layer is a text, expected an integer");
}

BOOST_AUTO_TEST_CASE(jacobian_lenses_that_do_not_fit_are_refused) {
  const scratch_folder folder;
  const std::string one = "K\x01" + matrix_at(1);
  const auto refused = [&](const std::string& content, const char* reason, std::uint32_t n_layers = 3) {
    check_fails([&] { open_jacobian(folder, content, n_layers); }, status::data, "lens.pt", reason);
  };
  refused(jacobian(one, pkl_text("d_model") + "K\x04"), "models of width 4");
  refused(jacobian(one, pkl_text("d_model") + pkl_text("3")), "d_model is a text, expected an integer");
  refused(jacobian(one, pkl_text("source_layers") + "](K\x02"
                                                    "e"),
          "source_layers names other layers");
  refused(jacobian(one, ""), "a matrix for block 1, the model has 1 layers", 1);
  refused(jacobian("K\x01" + pkl_tensor(pkl_storage("FloatStorage", "0", 9), 0, pkl_ints({9}), pkl_ints({1})),
                   ""),
          "another shape than the model, whose width is 3");
  refused(jacobian(pkl_text("a") + matrix_at(0), ""), "no matrix of a layer");
  refused(jacobian("", ""), "J holds no matrix");
  refused(zip_of({{"j/data.pkl", pickle_of("}")}}), "has no entry J");
  refused(zip_of({{"j/data.pkl", pickle_of("]")}}), "holds no dictionary");
}

BOOST_AUTO_TEST_CASE(a_control_carries_the_same_state_wherever_it_reads) {
  const tuned_folder folder;
  const lens_file lens = folder.open();
  const std::vector<float> states = {1, 0, 0, 0, 2, 0, 0, 0, 3};
  const lens_file null = lens_file::null_of(lens, states.data(), kWidth, true, "null x");
  BOOST_TEST(null.layers() == lens.layers(), boost::test_tools::per_element());
  for (const dlens_transport& t : null.transports())
    BOOST_TEST(t.form == static_cast<std::uint32_t>(DLENS_TRANSPORT_CONSTANT));
  BOOST_TEST(three(null.transports()[0].b) == (std::vector<float>{2.5f, 4, 6}),
             boost::test_tools::per_element());
  BOOST_TEST(three(null.transports()[1].b) == (std::vector<float>{0, 4, 0}),
             boost::test_tools::per_element());
  BOOST_TEST(three(null.transports()[2].b) == (std::vector<float>{0, 0, 3}),
             boost::test_tools::per_element());
  BOOST_TEST(null.key() == "null x | " + lens.key());
}

BOOST_AUTO_TEST_CASE(a_control_that_is_the_same_for_all_tokens_is_left_out_or_refused) {
  const tuned_folder folder;
  const lens_file lens = folder.open();  // its second translator makes zero of zero
  const lens_file null = lens_file::null_of(lens, nullptr, kWidth, true, "zero");
  BOOST_TEST(null.layers() == (std::vector<std::int32_t>{0}), boost::test_tools::per_element());
  BOOST_TEST(three(null.transports()[0].b) == bias0, boost::test_tools::per_element());
  BOOST_TEST(lens_file::null_of(lens, nullptr, kWidth, false, "zero").layers().size() == 3u);
  const lens_file logit(parse_lens("logit"), kLayers, kWidth);
  check_fails([&] { lens_file::null_of(logit, nullptr, kWidth, true, "zero"); }, status::usage, "no bias",
              "same logit");
}

BOOST_AUTO_TEST_SUITE_END()
