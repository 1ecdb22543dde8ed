// SPDX-License-Identifier: Apache-2.0
// States of records on their way from readings through the log to files: in whatever order they came, cut
// into files of any size.
#include "results/state_files.hpp"
#include "depthlens/files/safetensors.hpp"
#include "depthlens/table/csv.hpp"
#include "engine/dataset_records.hpp"
#include "engine/saved_states.hpp"
#include "host/fake_run.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <fstream>

BOOST_AUTO_TEST_SUITE(state_files)

namespace {

using namespace depthlens;
using namespace depthlens::test;

constexpr std::uint32_t kLayers = 4, kWidth = 3;
constexpr std::size_t kRecords = 12, kEmpty = 5, kShort = 7;
const std::vector<std::uint32_t> kKept = {0, 2, 4};

// What the model computes at a position, from the path that leads to it.
std::vector<float> states_at(const std::vector<std::int32_t>& ids, std::uint32_t position) {
  const std::uint64_t path = path_hash(std::span(ids).first(position + 1));
  std::vector<float> out((kLayers + 1) * kWidth);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(mix(path, i) % 1000);
  return out;
}

// Records of a study, read, with their entries for the log of states.
class read_study {
 public:
  read_study() : tokens_(json_tokenizer().load(), bos_policy::automatic) {
    boost::json::array rows;
    std::vector<std::string> prompts = made_prompts(kRecords);
    prompts[kShort] = "a";
    for (const std::string& p : prompts) rows.push_back({{"prompt", p}, {"answer", "a"}});
    context_.name = "model";
    context_.n_layers = kLayers;
    context_.d_model = kWidth;
    context_.vocab_size = fake_run::kVocabulary;
    context_.max_positions = 1000;
    context_.lens_labels = {"logit"};
    context_.tokenizer = tokens_.c();
    context_.host = plugin_host();
    context_.state_layers = kKept;
    plan_ = {"fake", {{}, detail::experiment_table<fake_study>()}, {{"fault", ""}}, {}, {}};
    plan_.datasets.push_back({"",
                              folder_.write("rows.json", boost::json::serialize(rows)),
                              file_format::rows_json,
                              "prompt",
                              "",
                              {},
                              0});
    session_ = std::make_unique<study_session>(context_, plan_);
    session_->survey();
    const auto reader = open_records(plan_.datasets[0], context_);
    for (record r; reader->next(r);) read(std::move(r));
  }

  const study_session& session() const { return *session_; }
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  const std::vector<std::pair<record_key, std::string>>& entries() const { return entries_; }
  std::size_t places() const { return places_; }
  std::vector<std::int32_t> ids(std::size_t record) const { return ids_.at(record); }

  // The files made of a log to which entries were appended in this order.
  std::optional<written_states> write(const std::string& name, const std::vector<std::size_t>& order,
                                      std::uint64_t most_bytes, const std::atomic<bool>& stop) const {
    record_log log(path(name + ".log"));
    for (const std::size_t i : order) log.append(entries_[i].first, entries_[i].second);
    std::filesystem::create_directories(path(name));
    return write_states({.session = *session_,
                         .log = log,
                         .folder = path(name),
                         .model_sha256 = "0",
                         .most_bytes = most_bytes},
                        stop);
  }

 private:
  void read(record r) {
    record_job job(std::move(r), 0, 0);
    job.want_states();
    if (session_->plan_record(job)) {
      auto& asked = job.last_round();
      for (std::size_t i = 0; i < asked.reads.size(); ++i) {
        auto site = std::make_shared<site_readings>();
        site->hidden = states_at(asked.sequences[asked.reads[i].sequence], asked.reads[i].position);
        asked.results[i] = std::move(site);
      }
      places_ += count_states(job);
      ids_.push_back(asked.sequences[0]);
    } else {
      ids_.emplace_back();
    }
    const record_key key{"", job.data().index, job.content_hash()};
    entries_.emplace_back(key, states_to_payload(job, key, kKept, kWidth, "fake"));
  }

  scratch_folder folder_;
  tokenizer_service tokens_;
  run_context context_;
  study_plan plan_;
  std::unique_ptr<study_session> session_;
  std::vector<std::pair<record_key, std::string>> entries_;
  std::vector<std::vector<std::int32_t>> ids_;
  std::size_t places_ = 0;
};

// Never destroyed: at the program's end what it needs for that may be gone.
const read_study& study_read() {
  static const auto* const once = new read_study;
  return *once;
}

std::vector<std::size_t> forwards() {
  std::vector<std::size_t> out(study_read().entries().size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = i;
  return out;
}

std::optional<written_states> written(const std::string& name, std::uint64_t most_bytes,
                                      std::vector<std::size_t> order = forwards(), bool stopped = false) {
  const std::atomic<bool> stop{stopped};
  return study_read().write(name, order, most_bytes, stop);
}

constexpr std::uint64_t kRowBytes = 3 * kWidth * sizeof(float);

}  // namespace

BOOST_AUTO_TEST_CASE(files_hold_each_row_that_the_index_names_and_no_more_than_they_may) {
  const auto done = written("cut", 5 * kRowBytes + 1);
  BOOST_REQUIRE(done.has_value());
  BOOST_TEST(done->rows == study_read().places());
  BOOST_TEST(done->records == kRecords);
  BOOST_TEST(done->files.size() == (done->rows + 4) / 5 + 2);
  csv_reader index(study_read().path("cut") / "index.csv");
  std::size_t rows = 0;
  std::vector<std::string> v;
  BOOST_TEST((index.header() == std::vector<std::string>{"file", "row", "study", "set", "prompt_id",
                                                         "sequence", "position", "token", "changed"}));
  for (; index.next(v); ++rows) {
    BOOST_TEST(v[0] == cat("states-0000", rows / 5 + 1, ".safetensors"));
    BOOST_TEST(v[1] == cat(rows % 5));
    const auto ids = study_read().ids(std::stoul(v[4]));
    const auto position = static_cast<std::uint32_t>(std::stoul(v[6]));
    BOOST_TEST(v[7] == cat(ids.at(position)));
    const std::vector<float> want = states_at(ids, position);
    const safetensors_file file((study_read().path("cut") / v[0]).string());
    BOOST_TEST(file.tensors().size() == kKept.size());
    for (std::size_t l = 0; l < kKept.size(); ++l) {
      const auto& t = file.tensors()[l].view;
      BOOST_TEST(t.name == cat("layer.", kKept[l]));
      BOOST_TEST((t.shape ==
                  std::vector<std::uint64_t>{std::min<std::uint64_t>(5, done->rows - rows / 5 * 5), kWidth}));
      BOOST_TEST(std::memcmp(t.data + rows % 5 * kWidth * sizeof(float), want.data() + kKept[l] * kWidth,
                             kWidth * sizeof(float)) == 0);
    }
  }
  BOOST_TEST(rows == done->rows);
}

BOOST_AUTO_TEST_CASE(the_order_in_which_records_were_logged_changes_no_file) {
  const auto there = written("there", 4 * kRowBytes);
  std::vector<std::size_t> order = forwards();
  std::reverse(order.begin(), order.end());
  order.push_back(3);  // as a record that was logged twice
  const auto again = written("again", 4 * kRowBytes, order);
  BOOST_REQUIRE(there.has_value());
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST((there->files == again->files));
  for (const auto& [name, digest] : there->files)
    BOOST_TEST(
        (read_bytes(study_read().path("there") / name) == read_bytes(study_read().path("again") / name)));
}

// The study reads the last and the first position, which of a prompt of one token are the same.
BOOST_AUTO_TEST_CASE(a_place_that_is_read_twice_is_kept_once) {
  const auto rows = [](std::size_t record) {
    return rows_of_payload(study_read().entries().at(record).second).value();
  };
  BOOST_TEST(rows(0) == 2U);
  BOOST_TEST(rows(kShort) == 1U);
  BOOST_TEST(rows(kEmpty) == 0U);
  BOOST_TEST(study_read().places() == 2 * (kRecords - 2) + 1);
}

BOOST_AUTO_TEST_CASE(where_a_stop_is_asked_for_nothing_is_said_to_be_written) {
  BOOST_TEST(!written("stopped", 4 * kRowBytes, forwards(), true).has_value());
}

BOOST_AUTO_TEST_CASE(rows_of_another_form_are_refused) {
  const entry e(study_read().entries().at(0).second, "log");
  BOOST_TEST(state_of_row(e.rows().at(0), kRowBytes).values.size() == kRowBytes);
  check_fails([&] { state_of_row(e.rows().at(0), kRowBytes + 4); }, status::config, "another form");
}

BOOST_AUTO_TEST_CASE(layers_are_numbers_ranges_and_words) {
  const auto parsed = [](const std::string& text) { return parse_layers("--save-states", text, 12); };
  using list = std::vector<std::uint32_t>;
  BOOST_TEST((parsed("last") == list{12}));
  BOOST_TEST((parsed("5,0,2-3,5") == list{0, 2, 3, 5}));
  BOOST_TEST((parsed("11-12,last") == list{11, 12}));
  BOOST_TEST(parsed("all").size() == 13U);
  for (const char* text : {"", ",", "1,", "13", "-1", "1-", "3-2", "1--2", "1 ", "0-99999999999", "final"})
    check_fails([&] { parsed(text); }, status::usage, "layers of the model, which are 0..12");
}

BOOST_AUTO_TEST_CASE(space_that_is_not_there_is_missed_before) {
  const scratch_folder folder;
  refuse_too_little_space(folder.path(), 1);
  check_fails([&] { refuse_too_little_space(folder.path(), std::uint64_t{1} << 60); }, status::io,
              "MiB are free there");
}

BOOST_AUTO_TEST_SUITE_END()
