// SPDX-License-Identifier: Apache-2.0
// Tuned lenses and controls through the whole program, on a tiny model.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"
#include "support/torch_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>

BOOST_AUTO_TEST_SUITE(lenses_of_runs)

namespace {

using namespace depthlens;
using namespace depthlens::test;

// A tuned lens for the tiny model (D 8, 2 layers) whose values are all the same.
struct tiny_lens : scratch_folder {
  explicit tiny_lens(float bias, const std::string& hash = "") {
    write("config.json", cat(R"({"d_model":8,"num_hidden_layers":2,"bias":true)",
                             hash.empty() ? "" : ",\"unembed_hash\":\"" + hash + "\"", "}"));
    std::string dict = pkl_ordered_dict() + "(", zeros(64 * 4, '\0'), biases;
    for (int i = 0; i < 8; ++i) biases += little(bias * static_cast<float>(i));
    for (int i = 0; i < 2; ++i)
      dict += pkl_text(cat(i, ".weight")) +
              pkl_tensor(pkl_storage("FloatStorage", "0", 64), 0, pkl_ints({8, 8}), pkl_ints({8, 1})) +
              pkl_text(cat(i, ".bias")) +
              pkl_tensor(pkl_storage("FloatStorage", "1", 8), 0, pkl_ints({8}), pkl_ints({1}));
    write("params.pt",
          zip_of({{"p/data.pkl", pickle_of(dict + "u")}, {"p/data/0", zeros}, {"p/data/1", biases}}));
  }
  std::string text() const { return "tuned=" + path().string(); }
};

struct lens_run : scratch_folder {
  tiny_folder model;
  std::string rows =
      write("rows.json", R"([{"prompt":"ab"},{"prompt":"abc"},{"prompt":"ba"},{"prompt":"b"}])");
  std::filesystem::path out(const std::string& name = "run") const { return path() / name; }
  words command(const std::string& name = "run") const {
    return {"run",      "pos", "--model", model.path(), "--out", out(name), "--data", "pos.BASELINE=" + rows,
            "--format", "svg", "--lens",  "logit"};
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_translator_of_zeros_gives_the_tables_of_the_logit_lens) {
  const lens_run r;
  const tiny_lens zero(0);
  must_work(r.command() + words{"--lens", zero.text()});
  int compared = 0;
  const auto tables = tables_of(r.out());
  for (const auto& [name, bytes] : tables) {
    const std::size_t at = name.find("_tuned.csv");
    if (at == std::string::npos) continue;
    BOOST_TEST((bytes == tables.at(name.substr(0, at) + "_logit.csv")), name);
    ++compared;
  }
  BOOST_TEST(compared >= 2);
}

BOOST_AUTO_TEST_CASE(the_published_way_reads_tuned_lenses_where_the_published_code_does) {
  const lens_run r;
  const tiny_lens lens(0.25f);
  must_work(r.command("plain") + words{"--seed-compat", "--name", "m", "--lens", lens.text()});
  must_work(r.command("named") + words{"--seed-compat", "--name", "m", "--lens", lens.text() + "@seed"});
  check_same_tables(tables_of(r.out("plain")), tables_of(r.out("named")));
  must_work(r.command("right") + words{"--lens", lens.text()});
  must_work(r.command("right_at_seed") + words{"--lens", lens.text() + "@seed"});
  BOOST_TEST(tables_of(r.out("right")).at("pos_BASELINE_tuned.csv") !=
             tables_of(r.out("right_at_seed")).at("pos_BASELINE_tuned.csv"));
}

BOOST_AUTO_TEST_CASE(results_that_would_have_one_name_are_refused) {
  const lens_run r;
  check_refused({"run", "pos", "--model", r.model.path(), "--out", r.out(), "--data", "pos.A=" + r.rows,
                 "--data", "pos.A_b=" + r.rows, "--lens", "logit", "--lens", "b_logit:logit"},
                status::usage, "pos_A_b_logit.csv", "another name");
}

BOOST_AUTO_TEST_CASE(a_lens_with_values_that_are_no_numbers_is_told) {
  const lens_run r;
  const tiny_lens lens(std::numeric_limits<float>::quiet_NaN());
  const outcome o = depthlens_says(r.command() + words{"--lens", lens.text()});
  BOOST_TEST(o.code == static_cast<int>(status::partial), o.err);
  for (const char* part :
       {"params.pt: tensor 0.bias has values that are not finite", "are not kept", "by lens tuned"})
    BOOST_TEST(o.err.find(part) != std::string::npos, o.err);
  BOOST_TEST(tables_of(r.out()).at("pos_BASELINE_logit.csv").size() >
             tables_of(r.out()).at("pos_BASELINE_tuned.csv").size());
}

BOOST_AUTO_TEST_CASE(a_control_that_says_nothing_is_refused_with_the_reason) {
  const lens_run r;
  check_refused(r.command() + words{"--null", "zero"}, status::usage, "--null zero", "no bias", "same logit");
  check_refused(r.command() + words{"--null", "one"}, status::usage, "--null one", "untrained or shuffled");
  check_refused(r.command() + words{"--lens", "a:logit", "--lens", "a_null:logit", "--null", "mean"},
                status::usage, "a_null already");
  const tiny_lens lens(0.25f);
  const outcome o = must_work(r.command() + words{"--lens", lens.text(), "--null", "zero"});
  BOOST_TEST(o.err.find("lens logit has no such control") != std::string::npos, o.err);
  const auto tables = tables_of(r.out());
  BOOST_TEST(tables.contains("pos_BASELINE_tuned-null.csv"));
  BOOST_TEST(!tables.contains("pos_BASELINE_logit-null.csv"));
  // Whatever the prompt, the control says the same, at the layers that have a translator.
  const boost::json::object lenses = manifest_of(r.out()).at("lenses").as_object();
  BOOST_TEST(lenses.at("tuned-null").at("control_of").as_string() == "tuned");
}

BOOST_AUTO_TEST_CASE(mean_states_are_kept_with_the_run_and_do_not_depend_on_threads) {
  const lens_run r;
  must_work(r.command("a") + words{"--null", "mean", "--threads", "1"});
  must_work(r.command("b") + words{"--null", "mean", "--threads", "2", "--pack-tokens", "16"});
  const auto mean = [&](const char* run) { return read_bytes(r.out(run) / "null_mean.safetensors"); };
  BOOST_TEST((mean("a") == mean("b")));
  check_same_tables(tables_of(r.out("a")), tables_of(r.out("b")));
  BOOST_TEST(tables_of(r.out("a")).contains("pos_BASELINE_logit-null.csv"));
  const outcome again = must_work(r.command("a") + words{"--null", "mean"});
  BOOST_TEST(again.err.find("nothing new") != std::string::npos, again.err);
}

BOOST_AUTO_TEST_CASE(a_folder_of_another_run_is_refused_before_mean_states_are_made) {
  const lens_run r;
  must_work(r.command() + words{"--target", "final"});
  check_refused(r.command() + words{"--target", "gold", "--null", "mean"}, status::config,
                "target: final -> gold");
  BOOST_TEST(!std::filesystem::exists(r.out() / "null_mean.safetensors"));
}

BOOST_AUTO_TEST_CASE(mean_states_that_were_altered_are_made_again_where_they_come_out_the_same) {
  const lens_run r;
  r.model.make_random();  // prompts that differ have other means
  must_work(r.command() + words{"--null", "mean"});
  const std::string whole = read_bytes(r.out() / "null_mean.safetensors");
  std::string changed = whole;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  r.write("run/null_mean.safetensors", changed);
  must_work(r.command() + words{"--null", "mean"});
  BOOST_TEST((read_bytes(r.out() / "null_mean.safetensors") == whole));
  r.write("run/null_mean.safetensors", changed);
  const std::string more =
      r.write("more.json", R"([{"prompt":"aab","answer":"b"},{"prompt":"bba","answer":"a"}])");
  const words other = {
      "run",    "downstream", "--model",  r.model.path(), "--out",  r.out(), "--data", "downstream.t=" + more,
      "--null", "mean",       "--format", "svg",          "--lens", "logit"};
  check_refused(other, status::data, "null_mean.safetensors", "not what the run wrote", "--fresh");
  BOOST_TEST((read_bytes(r.out() / "null_mean.safetensors") == changed));
}

BOOST_AUTO_TEST_CASE(a_lens_of_another_unembedding_is_read_by_force_only_and_on_record) {
  const lens_run r;
  const tiny_lens lens(0.25f, std::string(64, 'a'));
  const words command = r.command() + words{"--lens", lens.text()};
  check_refused(command, status::data, "another unembedding", "--force-lens");
  check_refused({"trace", "--model", r.model.path(), "--prompt", "ab", "--lens", lens.text()}, status::data,
                "another unembedding");
  must_work(command + words{"--force-lens"});
  const boost::json::object lenses = manifest_of(r.out()).at("lenses").as_object();
  BOOST_TEST(lenses.at("tuned").at("unembedding").as_string() == "another (forced)");
}

BOOST_AUTO_TEST_CASE(a_lens_is_described_with_and_without_its_model) {
  const lens_run r;
  const tiny_lens lens(0.25f, std::string(64, 'a'));
  const std::string alone = must_work({"lens", "info", lens.text()}).out;
  for (const char* part : {"kind         tuned", "layers       0 1", "width        8", "dtype        F32"})
    BOOST_TEST(alone.find(part) != std::string::npos, alone);
  check_refused({"lens", "info", lens.text(), "--model", r.model.path()}, status::data,
                "another unembedding");
  const std::string forced =
      must_work({"lens", "info", lens.text(), "--model", r.model.path(), "--force-lens"}).out;
  BOOST_TEST(forced.find("unembedding  another (forced)") != std::string::npos, forced);
  check_refused({"lens", "show"}, status::usage, "info, eval, train");
  check_refused({"lens", "info", "logit"}, status::usage, "--model");
  for (const words& about_a_model : {words{"--force-lens"}, words{"--ignore-config", "logit_scale"}})
    check_refused(words{"lens", "info", lens.text()} + about_a_model, status::usage, about_a_model[0],
                  "--model");
}

BOOST_AUTO_TEST_CASE(a_jacobian_lens_is_described_by_the_blocks_it_names_and_its_numbers_are_looked_at) {
  const lens_run r;
  const auto lens_at = [&](const std::string& block, float value) {
    std::string values;
    for (int i = 0; i < 64; ++i) values += little(value);
    const std::string matrix =
        pkl_tensor(pkl_storage("FloatStorage", "0", 64), 0, pkl_ints({8, 8}), pkl_ints({8, 1}));
    const std::string pickle = pickle_of("}(" + pkl_text("J") + "}(" + block + matrix + "uu");
    return "jacobian=" + r.write("j.pt", zip_of({{"j/data.pkl", pickle}, {"j/data/0", values}})).string();
  };
  const std::string of_block_3 = must_work({"lens", "info", lens_at("K\x03", 1)}).out;
  BOOST_TEST(of_block_3.find("layers       4\n") != std::string::npos, of_block_3);
  const outcome good =
      must_work({"lens", "info", lens_at(std::string("K\0", 2), 1), "--model", r.model.path()});
  BOOST_TEST(good.out.find("layers       1\n") != std::string::npos, good.out);
  BOOST_TEST(good.err.find("not finite") == std::string::npos, good.err);
  const std::string bad = lens_at(std::string("K\0", 2), std::numeric_limits<float>::quiet_NaN());
  const outcome o = must_work({"lens", "info", bad, "--model", r.model.path()});
  BOOST_TEST(o.err.find("j.pt: the matrix of block 0 has values that are not finite") != std::string::npos,
             o.err);
}

BOOST_AUTO_TEST_CASE(a_jacobian_lens_that_leads_to_another_block_than_the_last_is_refused_unless_forced) {
  const lens_run r;
  const auto lens_to = [&](const std::string& entries) {
    const std::string matrix =
        pkl_tensor(pkl_storage("FloatStorage", "0", 64), 0, pkl_ints({8, 8}), pkl_ints({8, 1}));
    const std::string pickle =
        pickle_of("}(" + pkl_text("J") + "}(" + std::string("K\0", 2) + matrix + "u" + entries + "u");
    return "jacobian=" +
           r.write("j.pt", zip_of({{"j/data.pkl", pickle}, {"j/data/0", std::string(256, '\x3c')}})).string();
  };
  for (const std::string& last : {std::string(), pkl_text("target_layer") + "N",
                                  pkl_text("target_layer") + "K\x01", pkl_text("target_layer") + pkl_int(-1)})
    must_work({"lens", "info", lens_to(last), "--model", r.model.path()});
  const std::string lens = lens_to(pkl_text("target_layer") + std::string("K\0", 2));
  const outcome info = must_work({"lens", "info", lens});
  BOOST_TEST(info.out.find("target       block 0\n") != std::string::npos, info.out);
  check_refused({"lens", "info", lens, "--model", r.model.path()}, status::data, "target_layer 0",
                "block of this model, 1", "--force-lens");
  check_refused({"trace", "--model", r.model.path(), "--prompt", "ab", "--lens", lens}, status::data,
                "target_layer 0");
  check_refused(r.command() + words{"--lens", lens}, status::data, "target_layer 0", "--force-lens");
  const outcome forced = must_work(r.command() + words{"--lens", lens, "--force-lens"});
  BOOST_TEST(forced.err.find("target_layer 0") != std::string::npos, forced.err);
  const boost::json::value said = manifest_of(r.out()).at("lenses").at("jacobian");
  BOOST_TEST((said.at("target_layer") == 0));
  BOOST_TEST((said.at("unembedding") == "not named by the lens; target_layer 0 (forced)"));
}

BOOST_AUTO_TEST_CASE(lenses_are_evaluated_side_by_side) {
  const lens_run r;
  const tiny_lens zero(0), other(0.5f);
  const std::string text = r.write("text.jsonl", "{\"prompt\":\"abcabc\"}\n{\"prompt\":\"cab\"}\n");
  must_work({"lens", "eval", "--model", r.model.path(), "--text", text, "--lens", "logit", "--lens",
             "a:" + zero.text(), "--lens", "b:" + other.text(), "--out", r.out("eval"), "--format", "svg"});
  const words rows = lines_of(read_bytes(r.out("eval") / "lens_eval.csv"));
  BOOST_REQUIRE_EQUAL(rows.size(), 10U);  // three layers of three lenses
  BOOST_TEST(rows[0].starts_with("\"lens\",layer,positions,kl,kl_low,kl_high,bits"));
  for (int layer = 0; layer < 3; ++layer) {
    const std::string logit = rows[1 + static_cast<std::size_t>(layer)],
                      zeros = rows[4 + static_cast<std::size_t>(layer)];
    BOOST_TEST(logit.substr(logit.find(',')) == zeros.substr(zeros.find(',')));
  }
  BOOST_TEST(rows[3].find("\"logit\",2,5,0,0,0,") != std::string::npos,
             rows[3]);  // the output is at no distance from itself
  BOOST_TEST(std::filesystem::exists(r.out("eval") / "lens_eval.svg"));
}

BOOST_AUTO_TEST_CASE(an_evaluation_that_is_refused_leaves_no_folder) {
  const lens_run r;
  const std::string text = r.write("text.jsonl", "{\"prompt\":\"abcabc\"}\n");
  const words command{"lens",        "eval",   "--model", r.model.path(), "--out",
                      r.out("eval"), "--text", text,      "--format",     "svg"};
  check_refused(command + words{"--lens", "tuned=" + r.out("none").string()}, status::no_input, "none");
  check_refused(command + words{"--lens", "logit", "--lens", "logit"}, status::usage, "--lens LABEL:logit");
  check_refused(command + words{"--lens", "logit", "--device", "moon"}, status::unavailable, "moon");
  check_refused(command + words{"--lens", "logit", "--tokens", "0"}, status::usage, "--tokens");
  BOOST_TEST(!std::filesystem::exists(r.out("eval")));
}

BOOST_AUTO_TEST_CASE(a_text_of_one_part_is_evaluated_without_intervals) {
  const lens_run r;
  const std::string text = r.write("text.jsonl", "{\"prompt\":\"abcabc\"}\n");
  must_work({"lens", "eval", "--model", r.model.path(), "--text", text, "--lens", "logit", "--out",
             r.out("eval"), "--format", "svg"});
  const words rows = lines_of(read_bytes(r.out("eval") / "lens_eval.csv"));
  BOOST_REQUIRE_EQUAL(rows.size(), 4U);
  BOOST_TEST(rows[3].starts_with("\"logit\",2,4,0,,,"), rows[3]);
  BOOST_TEST(rows[3].ends_with(",,"), rows[3]);
}

BOOST_AUTO_TEST_SUITE_END()
