// SPDX-License-Identifier: Apache-2.0
// Plugin files one by one: what is refused before any of its code runs, what is refused after loading, and
// why.
#include "plugins/library.hpp"

#include "depthlens/abi/experiment.h"
#include "host/made_plugins.hpp"
#include "version.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

BOOST_AUTO_TEST_SUITE(plugin_files)

namespace {

using namespace depthlens;
namespace fs = std::filesystem;
using test::plugin_maker;
using test::plugin_source;

void check_reason(const plugin_verdict& v, const std::string& part) {
  BOOST_TEST(!v.ok, v.path << " was taken");
  BOOST_TEST(v.reason.find(part) != std::string::npos, "\"" << part << "\" is not in: " << v.reason);
}

// Refused by judge_file alone.
void check_unseen(const fs::path& file, const std::string& part) {
  plugin_verdict v = judge_file(file);
  check_reason(v, part);
  BOOST_TEST((load_plugin(v) == nullptr));
}

// Looks right from outside, refused when it is loaded.
plugin_verdict check_loaded(const fs::path& file, const std::string& part) {
  plugin_verdict v = judge_file(file);
  BOOST_TEST(v.ok, v.reason);
  BOOST_TEST((load_plugin(v) == nullptr));
  check_reason(v, part);
  return v;
}

// Would make a file when it is loaded or called; no refused plugin may get so far.
std::string canary(const fs::path& file) {
  return "static void touch(void) { fclose(fopen(\"" + file.string() +
         "\", \"w\")); }\n__attribute__((constructor)) static void loaded(void) { touch(); }\n";
}

boost::test_tools::assertion_result as_root(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result root(::geteuid() == 0);
  if (!root) root.message() << "only root can give a file to another user";
  return root;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_good_plugin_is_loaded_once_and_described) {
  const plugin_maker maker;
  const fs::path file = maker.make("experiment-good", {});
  plugin_verdict v = judge_file(file);
  BOOST_TEST(v.ok, v.reason);
  BOOST_TEST(v.id == "experiment.good");
  BOOST_TEST(v.kind == "experiment");
  BOOST_TEST(v.word == "good");
  const dlens_plugin* p = load_plugin(v);
  BOOST_REQUIRE(p != nullptr);
  BOOST_TEST(v.version == "1.2.3");
  BOOST_TEST(v.summary == "made by a test");
  BOOST_TEST(v.abi_major == DLENS_ABI_MAJOR);
  BOOST_TEST(v.abi_minor == DLENS_ABI_MINOR);
  plugin_verdict again = judge_file(file);
  BOOST_TEST((load_plugin(again) == p));
  BOOST_TEST(again.version == "1.2.3");
}

BOOST_AUTO_TEST_CASE(the_word_is_all_that_follows_the_first_hyphen_or_the_last_dot) {
  const plugin_maker maker;
  plugin_verdict v = judge_file(maker.make("experiment-next-word", {}));
  BOOST_TEST(v.id == "experiment.next-word");
  BOOST_TEST(v.word == "next-word");
  BOOST_TEST((load_plugin(v) != nullptr), v.reason);
}

BOOST_AUTO_TEST_CASE(other_names_are_refused) {
  const plugin_maker maker;
  for (const char* stem : {"flips", "libflips", "lens-flips"}) {
    const plugin_verdict v = judge_file(maker.make(stem, {}));
    check_reason(v, "name");
    BOOST_TEST(v.kind.empty());
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_shared_library_is_refused_unseen) {
  const plugin_maker maker;
  check_unseen(maker.write("experiment-text.so", "#!/bin/sh\n"), "ELF");
  check_unseen(maker.write("experiment-empty.so", ""), "ELF");
  check_unseen(maker.write("experiment-head.so",
                           "\x7f"
                           "ELF"),
               "damaged");
  check_unseen(maker.write("experiment-noise.so",
                           "\x7f"
                           "ELF" +
                               std::string(4096, '\xee')),
               "damaged");
  fs::create_directory(maker.path() / "experiment-folder.so");
  check_unseen(maker.path() / "experiment-folder.so", "not a file");
  BOOST_REQUIRE(::mkfifo((maker.path() / "experiment-pipe.so").c_str(), 0600) == 0);
  check_unseen(maker.path() / "experiment-pipe.so", "not a file");
}

BOOST_AUTO_TEST_CASE(a_truncated_library_is_refused_and_does_not_bring_the_host_down) {
  const plugin_maker maker;
  const std::string whole = test::read_bytes(maker.make("experiment-whole", {}));
  for (const std::size_t part : {1, 4, 10, 50, 90, 99}) {
    const fs::path file =
        maker.write(cat("experiment-part", part, ".so"), whole.substr(0, whole.size() * part / 100));
    plugin_verdict v = judge_file(file);
    BOOST_TEST((load_plugin(v) == nullptr));
    BOOST_TEST(!v.ok);
    BOOST_TEST(!v.reason.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_library_without_the_entry_symbol_is_refused_before_its_code_runs) {
  const plugin_maker maker;
  const fs::path mark = maker.path() / "mark";
  plugin_source source;
  source.entry = "something_else";
  source.more = canary(mark);
  check_unseen(maker.make("experiment-noentry", source), "dlens_entry_v1");
  source.entry = "dlens_entry_v2";
  check_unseen(maker.make("experiment-newer", source), "made for depthlens 2");
  BOOST_TEST(!fs::exists(mark));
}

BOOST_AUTO_TEST_CASE(files_that_others_can_write_are_refused_before_their_code_runs) {
  const plugin_maker maker;
  const fs::path mark = maker.path() / "mark";
  plugin_source source;
  source.more = canary(mark);
  const fs::path file = maker.make("experiment-open", source);
  BOOST_REQUIRE(::chmod(file.c_str(), 0777) == 0);
  check_unseen(file, "written by everyone");
  BOOST_REQUIRE(::chmod(file.c_str(), 0755) == 0);
  BOOST_REQUIRE(::chmod(maker.path().c_str(), 0777) == 0);
  check_unseen(file, "written by everyone");
  BOOST_REQUIRE(::chmod(maker.path().c_str(), 0700) == 0);
  BOOST_TEST(!fs::exists(mark));
  plugin_verdict v = judge_file(file);
  BOOST_TEST((load_plugin(v) != nullptr), v.reason);
  BOOST_TEST(fs::exists(mark));
}

BOOST_AUTO_TEST_CASE(a_link_is_as_safe_as_all_that_it_leads_to) {
  const plugin_maker maker, open_to_all;
  const fs::path mark = maker.path() / "mark";
  plugin_source source;
  source.more = canary(mark);
  const fs::path target = open_to_all.make("experiment-linked", source);
  BOOST_REQUIRE(::chmod(open_to_all.path().c_str(), 0777) == 0);
  const fs::path link = maker.path() / "experiment-linked.so";
  fs::create_symlink(target, link);
  check_unseen(link, "written by everyone");
  // By way of a folder that is a link, and of a link in the open folder to a file that is safe itself.
  fs::create_directory_symlink(open_to_all.path(), maker.path() / "folder");
  fs::remove(link);
  fs::create_symlink(fs::path("folder") / "experiment-linked.so", link);
  check_unseen(link, "written by everyone");
  fs::rename(target, maker.path() / "experiment-real.so");
  fs::create_symlink(maker.path() / "experiment-real.so", target);
  check_unseen(link, "written by everyone");
  BOOST_TEST(!fs::exists(mark));
  BOOST_REQUIRE(::chmod(open_to_all.path().c_str(), 0755) == 0);
  plugin_verdict v = judge_file(link);
  BOOST_TEST((load_plugin(v) != nullptr), v.reason);
}

BOOST_AUTO_TEST_CASE(links_that_lead_nowhere_are_refused) {
  const plugin_maker maker;
  fs::create_symlink("experiment-self.so", maker.path() / "experiment-self.so");
  check_unseen(maker.path() / "experiment-self.so", "a loop of links");
  fs::create_symlink("nothing", maker.path() / "experiment-dangling.so");
  check_unseen(maker.path() / "experiment-dangling.so", "not there");
}

BOOST_AUTO_TEST_CASE(files_of_another_user_are_refused, *boost::unit_test::precondition(as_root)) {
  const plugin_maker maker;
  const fs::path file = maker.make("experiment-foreign", {});
  BOOST_REQUIRE(::chown(file.c_str(), 12345, 12345) == 0);
  check_unseen(file, "another user");
}

BOOST_AUTO_TEST_CASE(another_major_version_of_the_interface_is_refused_with_both_numbers) {
  const plugin_maker maker;
  plugin_source source;
  source.major = "DLENS_ABI_MAJOR + 7";
  const plugin_verdict v = check_loaded(maker.make("experiment-major", source), "rebuild");
  BOOST_TEST(v.reason.find(cat(DLENS_ABI_MAJOR + 7, ".", DLENS_ABI_MINOR)) != std::string::npos, v.reason);
  BOOST_TEST(v.reason.find(cat(DLENS_ABI_MAJOR, ".x")) != std::string::npos, v.reason);
  BOOST_TEST(v.abi_major == DLENS_ABI_MAJOR + 7);
  BOOST_TEST(v.version == "1.2.3");
}

BOOST_AUTO_TEST_CASE(a_newer_minor_version_is_taken_unless_the_plugin_needs_it) {
  const plugin_maker maker;
  plugin_source source;
  source.minor = "DLENS_ABI_MINOR + 1";
  plugin_verdict v = judge_file(maker.make("experiment-newer", source));
  BOOST_TEST((load_plugin(v) != nullptr), v.reason);
  BOOST_TEST(v.abi_minor == DLENS_ABI_MINOR + 1);
  source.least = "DLENS_ABI_MAJOR, DLENS_ABI_MINOR + 1";
  check_loaded(maker.make("experiment-needy", source),
               cat("needs interface ", DLENS_ABI_MAJOR, ".", DLENS_ABI_MINOR + 1, " at least"));
}

BOOST_AUTO_TEST_CASE(an_entry_that_gives_nothing_or_too_little_is_refused) {
  const plugin_maker maker;
  plugin_source source;
  source.returned = "0";
  check_loaded(maker.make("experiment-null", source), "returned nothing");
  source.returned = "&plugin";
  source.size = "8";
  check_loaded(maker.make("experiment-small", source), "too small");
}

BOOST_AUTO_TEST_CASE(a_plugin_that_calls_itself_otherwise_is_refused) {
  const plugin_maker maker;
  plugin_source source;
  source.id = "experiment.other";
  check_loaded(maker.make("experiment-mask", source), "calls itself experiment.other");
}

BOOST_AUTO_TEST_CASE(an_undefined_symbol_is_found_when_it_is_loaded) {
  const plugin_maker maker;
  plugin_source source;
  source.more = "extern int of_no_library(void);\nint use(void) { return of_no_library(); }\n";
  check_loaded(maker.make("experiment-undefined", source), "of_no_library");
}

BOOST_AUTO_TEST_CASE(a_plugin_that_refuses_to_start_says_why) {
  const plugin_maker maker;
  plugin_source source;
  source.init = "start";
  source.more =
      "struct dlens_host;\n"
      "static dlens_status start(const struct dlens_host* h, const char* path, dlens_error* e) {\n"
      "  (void)h; (void)path; e->code = DLENS_UNAVAILABLE; strcpy(e->message, \"no such device\"); return "
      "e->code; }\n";
  check_loaded(maker.make("experiment-init", source), "no such device");
  source.more =
      "struct dlens_host;\n"
      "static dlens_status start(const struct dlens_host* h, const char* path, dlens_error* e) {\n"
      "  (void)h; (void)path; (void)e; return DLENS_INTERNAL; }\n";
  check_loaded(maker.make("experiment-mute", source), "no reason");
}

BOOST_AUTO_TEST_CASE(init_gets_the_host_and_deinit_is_called_once_at_the_end_newest_first) {
  const plugin_maker maker;
  const fs::path list = maker.path() / "list";
  for (const char* name : {"first", "second"}) {
    plugin_source source;
    source.init = "start";
    source.deinit = "stop";
    source.more =
        "#include \"depthlens/abi/host.h\"\n"
        "static void say(const char* a, const char* b) { FILE* f = fopen(\"" +
        list.string() +
        "\", \"a\"); fprintf(f, \"%s %s\\n\", a, b); fclose(f); }\n"
        "static dlens_status start(const dlens_host* h, const char* path, dlens_error* e) {\n"
        "  (void)e; say(strrchr(path, '/') + 1, h->version); return DLENS_OK; }\n"
        "static void stop(void) { say(\"end\", \"" +
        name + "\"); }\n";
    plugin_verdict v = judge_file(maker.make(cat("experiment-", name), source));
    BOOST_TEST((load_plugin(v) != nullptr), v.reason);
    BOOST_TEST((load_plugin(v) != nullptr));
  }
  end_plugins();
  end_plugins();
  const std::string version = " " DEPTHLENS_VERSION "\n";
  BOOST_TEST(test::read_bytes(list) ==
             "experiment-first.so" + version + "experiment-second.so" + version + "end second\nend first\n");
}

BOOST_AUTO_TEST_SUITE_END()
