// SPDX-License-Identifier: Apache-2.0
// The page of trace --html: what it holds, that it is the same each time, and that no text of a model gets
// out of its place.
#include "html/page_head.hpp"
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <string>

BOOST_AUTO_TEST_SUITE(page_of_trace)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace json = boost::json;

constexpr const char* hostile =
    "</script><script>document.title='hostile'</script><img src=x onerror=alert(1)>";

// A byte tokenizer with two tokens more: markup, and a mark that turns the direction of text.
struct page_folder : tiny_folder {
  page_folder() : tiny_folder(258) {
    json_tokenizer t;
    t.added =
        json::serialize(json::array{json::object{{"id", 256}, {"content", hostile}, {"special", true}},
                                    json::object{{"id", 257}, {"content", "\u202e"}, {"special", true}}});
    write("tokenizer.json", t.text());
    make_random();
  }
  std::string file(const std::string& name = "page.html") const { return (folder.path() / name).string(); }
  words trace(const words& more) const { return words{"trace", "--model", path()} + more; }
  std::string page(const words& more) const {
    const outcome o = must_work(trace(more + words{"--html", file()}));
    BOOST_TEST(o.out == "");
    return read_bytes(file());
  }

  scratch_folder folder;
};

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin);
  BOOST_REQUIRE(from != std::string::npos);
  const std::size_t at = from + begin.size(), to = text.find(end, at);
  BOOST_REQUIRE(to != std::string::npos);
  return text.substr(at, to - at);
}

json::value data_of(const std::string& page) {
  return json::parse(between(page, "id=\"data\">", "</script>"));
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

int at(const json::value& list, std::size_t i) { return list.at(i).to_number<int>(); }
std::string text_of(const json::value& text) { return std::string(text.as_string()); }

}  // namespace

BOOST_AUTO_TEST_CASE(a_page_is_the_same_bytes_each_time) {
  const page_folder m;
  const words asked = {"--prompt", "ab\n", "--prompt", "ba", "--lens", "one:logit", "--lens", "two:logit"};
  const std::string page = m.page(asked + words{"--threads", "1"});
  BOOST_TEST((page == m.page(asked + words{"--threads", "2"})));
  for (const auto& item : std::filesystem::directory_iterator(m.folder.path()))
    BOOST_TEST(item.path().filename() == "page.html");
}

BOOST_AUTO_TEST_CASE(a_page_loads_nothing_and_lets_in_its_own_script_and_style_alone) {
  const page_folder m;
  const std::string page = m.page({"ab"});
  std::string links = page;  // but for the name of the space that SVG is in, which nobody loads
  const std::string space = "http://www.w3.org/2000/svg";
  for (std::size_t found; (found = links.find(space)) != std::string::npos;) links.erase(found, space.size());
  for (const char* part : {"http:", "https:", "src=", "@import", "url(", "eval(", "innerHTML", "style=\""})
    BOOST_TEST(links.find(part) == std::string::npos, part);
  const std::string policy = between(page, "Content-Security-Policy\" content=\"", "\"");
  BOOST_TEST(policy ==
             content_policy(between(page, "<style>", "</style>"), between(page, "<script>", "</script>")));
}

BOOST_AUTO_TEST_CASE(hostile_tokens_stay_texts) {
  const page_folder m;
  const std::string page = m.page({cat("a", hostile, "b\u202e"), "--target", "#256", "--target", "#257"});
  BOOST_TEST(count_of(page, "<script") == 2U);
  BOOST_TEST(count_of(page, "</script") == 2U);
  BOOST_TEST(page.find("<img") == std::string::npos);
  BOOST_TEST(page.find("\u202e") == std::string::npos);
  const json::value data = data_of(page);
  const json::value& texts = data.at("texts");
  BOOST_TEST(texts.at(at(data.at("pinned"), 0)).as_string().starts_with("</script>"));
  BOOST_TEST(texts.at(at(data.at("pinned"), 1)).as_string() == "\\xe2\\x80\\xae");
}

BOOST_AUTO_TEST_CASE(a_page_holds_the_readings_of_trace) {
  const page_folder m;
  const json::value data = data_of(m.page({"ab ", "--top", "4"}));
  const json::value said =
      json::parse(must_work(m.trace({"ab ", "--top", "4", "--json", "--positions", "all"})).out);
  BOOST_TEST(data.at("k").to_number<int>() == 4);
  const json::value& prompt = data.at("prompts").at(0);
  BOOST_TEST(data.at("texts").at(at(prompt.at("tokens"), 2)).as_string() == "\u00b7");
  const json::value& plane = prompt.at("planes").at(0);
  for (std::size_t position = 0; position < 3; ++position) {
    const json::value& reading = said.at("readings").at(position);
    BOOST_TEST(at(data.at("ids"), at(prompt.at("finals"), position)) ==
               reading.at("target").to_number<int>());
    for (std::size_t layer = 0; layer < 3; ++layer) {
      const json::value& told = reading.at("layers").at(layer);
      const std::size_t cell = position * 3 + layer;
      BOOST_TEST(at(plane.at("rank"), cell) == told.at("rank").to_number<int>());
      BOOST_TEST(at(plane.at("entropy"), cell) == std::lround(told.at("entropy").to_number<double>() * 100));
      for (std::size_t i = 0; i < 4; ++i) {
        BOOST_TEST(at(data.at("ids"), at(plane.at("top"), cell * 4 + i)) == at(told.at("top"), i));
        const double p = std::exp(told.at("top_logprob").at(i).to_number<double>());
        BOOST_TEST(std::abs(at(plane.at("p"), cell * 4 + i) - 1e4 * p) <= 0.6);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(followed_tokens_have_their_probability_in_every_cell) {
  const page_folder m;
  const json::value data = data_of(m.page({"ab", "--top", "3", "--target", "#7"}));
  const int least = data.at("least").to_number<int>();
  std::size_t compared = 0;
  for (std::size_t i = 0; i < data.at("followed").as_array().size(); ++i) {
    const std::string id = std::to_string(at(data.at("ids"), at(data.at("followed"), i)));
    const json::value said =
        json::parse(must_work(m.trace({"ab", "--json", "--positions", "all", "--target", "#" + id})).out);
    const json::value& list = data.at("prompts").at(0).at("planes").at(0).at("followed").at(i);
    std::map<std::size_t, int> cells;
    for (std::size_t j = 0, cell = 0; j < list.as_array().size(); j += 2)
      cells[cell += static_cast<std::size_t>(at(list, j))] = at(list, j + 1);
    for (std::size_t cell = 0; cell < 6; ++cell) {
      const json::value& told = said.at("readings").at(cell / 3).at("layers").at(cell % 3);
      const long p = std::lround(1e4 * std::exp(told.at("logprob").to_number<double>()));
      BOOST_TEST((cells.contains(cell) ? cells[cell] == p : p < least));
      ++compared;
    }
  }
  BOOST_TEST(compared >= 24U);
}

BOOST_AUTO_TEST_CASE(readings_that_are_not_finite_are_left_empty) {
  const page_folder m;
  std::string config = m.content("config.json"), file;
  const std::string tied = "\"tie_word_embeddings\":true";  // its head would spoil all positions
  m.write("config.json", config.replace(config.find(tied), tied.size(), "\"tie_word_embeddings\":false"));
  std::vector<named_shape> tensors = tiny_folder_tensors();
  tensors.front().shape = {258, 8};
  tensors.push_back({"lm_head.weight", {258, 8}});
  m.write("model.safetensors", safetensors_text(tensors));
  m.make_random();
  file = m.content("model.safetensors");
  const std::size_t row = file.find("}}") + 2 + 'b' * 8 * sizeof(float);  // of the embedding
  const float bad = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(file.data() + row, &bad, sizeof bad);
  m.write("model.safetensors", file);
  const outcome o = depthlens_says(m.trace({"ab", "--html", m.file()}));
  BOOST_TEST(o.code == 1, o.err);
  const json::value prompt = data_of(read_bytes(m.file())).at("prompts").at(0);
  BOOST_TEST(at(prompt.at("finals"), 0) >= 0);
  BOOST_TEST(at(prompt.at("finals"), 1) == -1);
  BOOST_TEST(at(prompt.at("planes").at(0).at("top"), 0) >= 0);
  BOOST_TEST(at(prompt.at("planes").at(0).at("top"), 3 * 10) == -1);
}

BOOST_AUTO_TEST_CASE(the_page_and_the_json_may_be_had_at_once) {
  const page_folder m;
  const outcome o = must_work(m.trace({"ab", "--json", "--html", m.file()}));
  BOOST_TEST(json::parse(o.out).at("readings").as_array().size() == 2U);
  BOOST_TEST(std::filesystem::exists(m.file()));
}

BOOST_AUTO_TEST_CASE(pages_that_cannot_be_are_refused) {
  const page_folder m;
  const words page = {"ab", "--html", m.file()};
  check_refused(m.trace({"ab", "--html", ""}), status::usage, "--html");
  check_refused(m.trace(page + words{"--experts"}), status::usage, "--html", "--experts");
  check_refused(m.trace(page + words{"--patch-from", "b"}), status::usage, "--html", "--patch-from");
  check_refused(m.trace(page + words{"--top", "0"}), status::usage, "--html", "--top");
  check_refused(m.trace({"ab", "--html", m.file("none/page.html")}), status::cannot_create, "none/page.html");
  std::string rows;
  for (int i = 0; i < 300; ++i) rows += "{\"prompt\":\"" + std::string(60, 'a') + "\"}\n";
  const std::string many = m.folder.write("many.jsonl", rows);
  check_refused(m.trace({"--prompts", many, "--html", m.file()}), status::usage, "18000 positions",
                "54000 cells", "--positions");
  BOOST_TEST(!std::filesystem::exists(m.file()));
}

BOOST_AUTO_TEST_CASE(a_page_takes_the_place_of_a_page_alone) {
  const page_folder m;
  const std::string prompts = m.folder.write("prompts.jsonl", "{\"prompt\":\"ab\"}\n");
  const std::string read =
      m.folder.write("read.json", must_work(m.trace({"ab", "--json", "--format", "v2"})).out);
  const auto refused = [](const std::string& file, const words& command) {
    const std::string before = read_bytes(file);
    check_refused(command + words{"--html", file}, status::usage, "--html", file, "is no page");
    BOOST_TEST((read_bytes(file) == before));
  };
  for (const char* part : {"config.json", "tokenizer.json", "model.safetensors"})
    refused(m.path() + "/" + part, m.trace({"ab"}));
  refused(prompts, m.trace({"--prompts", prompts}));
  refused(read, {"trace", "--read", read});
  const std::filesystem::path link = m.folder.path() / "link.html";
  std::filesystem::create_symlink(read, link);
  refused(link.string(), m.trace({"ab"}));
  m.page({"ab"});
  m.page({"ab"});
}

BOOST_AUTO_TEST_CASE(readings_of_a_file_stand_beside_those_of_the_command) {
  const page_folder m;
  const outcome written =
      must_work(m.trace({"ab\n", "--json", "--format", "v2", "--top", "3", "--threads", "1"}));
  const std::string file = m.folder.write("read.json", written.out);
  const json::value both = data_of(m.page({"ab\n", "--top", "3", "--read", file}));
  BOOST_REQUIRE(both.at("prompts").as_array().size() == 2U);
  const json::value &own = both.at("prompts").at(0), &read = both.at("prompts").at(1);
  BOOST_TEST(text_of(own.at("model")) + " (read.json)" == text_of(read.at("model")));
  BOOST_TEST((read.at("layers") == json::array{1, 2}));
  for (const char* same : {"tokens", "positions", "finals"})
    BOOST_TEST((own.at(same) == read.at(same)), same);
  const json::value &mine = own.at("planes").at(0), &others = read.at("planes").at(0);
  for (std::size_t position = 0; position < 3; ++position)
    for (std::size_t layer = 1; layer < 3; ++layer) {
      const std::size_t cell = position * 3 + layer, of_file = position * 2 + layer - 1;
      BOOST_TEST(at(mine.at("rank"), cell) >= at(others.at("rank"), of_file));  // 0 = not among the likeliest
      BOOST_TEST(at(mine.at("entropy"), cell) == at(others.at("entropy"), of_file));
      for (std::size_t k = 0; k < 3; ++k) {
        BOOST_TEST(at(mine.at("top"), 3 * cell + k) == at(others.at("top"), 3 * of_file + k));
        BOOST_TEST(std::abs(at(mine.at("p"), 3 * cell + k) - at(others.at("p"), 3 * of_file + k)) <= 1);
      }
    }
  const json::value& tracked = others.at("tracked");
  BOOST_TEST(tracked.as_array().size() == others.at("where").as_array().size());
  BOOST_TEST(tracked.as_array().size() == others.at("followed").as_array().size());

  must_work({"trace", "--read", file, "--read", file, "--html", m.file("alone.html")});
  const json::value alone = data_of(read_bytes(m.file("alone.html")));
  BOOST_REQUIRE(alone.at("prompts").as_array().size() == 2U);
  BOOST_TEST((alone.at("prompts").at(0).at("layers") == json::array{1, 2}));
  BOOST_TEST(alone.at("texts").at(at(alone.at("prompts").at(0).at("tokens"), 2)) == "\u23ce");
}

BOOST_AUTO_TEST_CASE(readings_of_one_model_are_told_apart_by_their_files_and_the_precision) {
  const page_folder m;
  const std::string read = must_work(m.trace({"ab", "--json", "--format", "v2"})).out;
  const std::string first = m.folder.write("one.json", read), second = m.folder.write("two.json", read);
  std::filesystem::create_directory(m.folder.path() / "other");
  const std::string third = m.folder.write("other/one.json", read);
  const auto headings = [&](const json::value& page) {
    words out;
    for (const json::value& prompt : page.at("prompts").as_array())
      out.push_back(text_of(prompt.at("model")));
    return out;
  };
  const json::value page = data_of(m.page({"ab", "--precision", "bf16", "--read", first, "--read", second}));
  const std::string model = std::filesystem::path(m.path()).filename().string();
  BOOST_TEST(headings(page) == (words{model + " (bf16)", model + " (one.json)", model + " (two.json)"}),
             boost::test_tools::per_element());
  BOOST_TEST(text_of(page.at("model")) == model);
  BOOST_TEST(headings(data_of(m.page({"ab", "--read", first, "--read", third}))) ==
                 (words{model, model + " (" + first + ")", model + " (" + third + ")"}),
             boost::test_tools::per_element());
  must_work({"trace", "--read", first, "--html", m.file("alone.html")});
  BOOST_TEST(headings(data_of(read_bytes(m.file("alone.html")))) == words{model},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_file_of_readings_that_is_none_is_refused_with_its_place) {
  const scratch_folder folder;
  const std::string good =
      R"({"meta":{"version":2,"model":"m"},"input":["a","b"],"layers":[0,3],)"
      R"("topk":[[["x"],["y"]],[["x"],[]]],"tracked":[{"x":[0.5,0.25]},{"y":[0.1,null]}]})";
  const std::string page = (folder.path() / "page.html").string();
  const auto says = [&](const std::string& text) {
    return depthlens_says({"trace", "--read", folder.write("r.json", text), "--html", page});
  };
  BOOST_TEST(says(good).code == 0);
  BOOST_TEST((data_of(read_bytes(page)).at("prompts").at(0).at("layers") == json::array{1, 4}));
  BOOST_TEST(says("{\n\"meta\"" + good.substr(7)).code == 0);  // over several lines
  std::filesystem::remove(page);
  const auto refused = [&](std::string_view part, std::string_view by, const std::string& why) {
    std::string text = good;
    BOOST_REQUIRE(text.find(part) != text.npos);
    text.replace(text.find(part), part.size(), by);
    const outcome o = says(text);
    BOOST_TEST(o.code == 65, why);
    BOOST_TEST(o.err.find("r.json") != std::string::npos, o.err);
    BOOST_TEST(o.err.find(why) != std::string::npos, o.err);
    BOOST_TEST(!std::filesystem::exists(page));
  };
  refused("\"version\":2", "\"version\":1", "version 1, expected 2");
  refused("[0,3]", "[0,3,4]", "has 2 entries, expected one for each of 3 layers");
  refused("[0,3]", "[3,0]", "in ascending order");
  refused("[0,3]", "[0,5000]", "below 4096");
  refused("[[\"x\"],[\"y\"]]", "[[\"x\"]]", "one for each of 2 positions");
  refused("0.25", "3", "is no probability");
  refused("0.25", "\"3\"", "expected a number");
  refused("\"topk\"", "\"top\"", "\"topk\" is missing");
  refused("}]}", "}]", "r.json");
  BOOST_TEST(depthlens_says({"trace", "--read", "r.json"}).code == 64);
  BOOST_TEST(depthlens_says({"trace", "--read", "r.json", "--html", page, "--top", "3"}).code == 64);
  BOOST_TEST(depthlens_says({"trace", "--read", folder.path() / "none.json", "--html", page}).code == 66);
}

BOOST_AUTO_TEST_SUITE_END()
