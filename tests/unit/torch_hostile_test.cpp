// SPDX-License-Identifier: Apache-2.0
// Malicious and broken files of torch.save: each is refused with its reason, and none makes the reader
// allocate more than 64 MiB at once.
#include "depthlens/files/torch_file.hpp"

#include "support/allocation_meter.hpp"
#include "support/data_files.hpp"
#include "support/torch_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(torch_hostile)

namespace {

using namespace depthlens;
using namespace depthlens::test;

constexpr std::size_t most = std::size_t{64} << 20;

// Opens and reads everything that the file holds.
void open_and_read(const std::filesystem::path& path) {
  const torch_file file(path);
  for (const torch_tensor& t : file.state_dict()) {
    std::vector<float> values(t.view.bytes);
    file.read(t, values.data());
  }
}

void refused(const std::string& content, std::string_view reason) {
  static const scratch_folder folder;
  const auto path = folder.write("bad.pt", content);
  const allocation_meter meter;
  check_fails([&] { open_and_read(path); }, status::data, "bad.pt", reason);
  BOOST_TEST(meter.largest() < most, reason);
}

void pickle_refused(const std::string& body, std::string_view reason) {
  refused(zip_of(torch_parts(pickle_of(body))), reason);
}

std::vector<zip_part> good_parts() { return torch_parts(pickle_of(dict_of(pkl_good_tensor()))); }

}  // namespace

BOOST_AUTO_TEST_CASE(every_opcode_that_is_not_allowed_is_refused_by_name) {
  constexpr std::string_view allowed =
      "\x80(.cqrhjXJKM\x8aGN\x88\x89)]}t\x85\x86\x87"
      "aesuQRb";
  int named = 0;
  for (int opcode = 0; opcode < 256; ++opcode) {
    if (allowed.find(static_cast<char>(opcode)) != allowed.npos) continue;
    const std::string name = detail::pickle_opcode_name(static_cast<std::uint8_t>(opcode));
    named += std::isdigit(static_cast<unsigned char>(name[0])) == 0;
    // With something on the stack and behind it that the opcode would use.
    pickle_refused(
        "}" + pkl_text("os") + pkl_text("system") + std::string(1, static_cast<char>(opcode)) + "1\n",
        cat("opcode ", name, " is not allowed"));
  }
  BOOST_TEST(named == 37);
}

BOOST_AUTO_TEST_CASE(every_global_that_is_not_allowed_is_refused_by_name) {
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"nt", "system"},
                                                        {"builtins", "eval"},
                                                        {"builtins", "exec"},
                                                        {"builtins", "getattr"},
                                                        {"__builtin__", "eval"},
                                                        {"importlib", "import_module"},
                                                        {"subprocess", "Popen"},
                                                        {"runpy", "_run_code"},
                                                        {"pickle", "loads"},
                                                        {"torch", "load"},
                                                        {"torch.storage", "_load_from_bytes"},
                                                        {"torch._utils", "_rebuild_tensor"},
                                                        {"torch._utils", "_rebuild_tensor_v3"},
                                                        {"torch", "FloatStorage.__init__"},
                                                        {"torch", "UntypedStorage"},
                                                        {"collections", "defaultdict"},
                                                        {"numpy.core.multiarray", "_reconstruct"},
                                                        {"webbrowser", "open"}}) {
    pickle_refused(pkl_global(module, name) + "(" + pkl_text("echo") + "tR",
                   cat("global '", module, ".", name, "' is not allowed"));
  }
  pickle_refused("c" + std::string(10'000, 'x') + "\n", "a name of over 200 bytes");
  pickle_refused("ctorch\nFloatStorage\x1b\n)R", "is not allowed");
}

BOOST_AUTO_TEST_CASE(an_empty_stack_is_refused_at_every_opcode_that_takes_from_it) {
  for (const std::string& body :
       {std::string("R"), std::string("b"), std::string("Q"), std::string("a"), std::string("s"),
        std::string("\x85"), std::string("\x86"), std::string("\x87"), std::string("q\0", 2),
        std::string("r\0\0\0\0", 5), std::string(""), std::string("h\0", 2), std::string("j\0\0\0\0", 5)}) {
    pickle_refused(body, "offset");
    pickle_refused("}(" + body, "offset");  // a mark shields what lies below it
  }
  for (const char* body : {"t", "e", "u", "}t", "]e", "}u"}) pickle_refused(body, "no MARK");
}

BOOST_AUTO_TEST_CASE(values_of_the_wrong_kind_are_refused) {
  pickle_refused("NNa", "APPEND on None");
  pickle_refused("]NNs", "SETITEMS on a list");
  pickle_refused("}NNs", "a key of a dictionary is None");
  pickle_refused("]K\x01K\x01s", "SETITEMS on a list");
  pickle_refused("}(NK\x01u", "a key of a dictionary is None");
  pickle_refused("}(K\x01u", "no value");
  pickle_refused("}NR", "REDUCE of a dictionary");
  pickle_refused(pkl_global("collections", "OrderedDict") + "NR", "REDUCE of a type with None");
  pickle_refused(pkl_global("collections", "OrderedDict") + "](K\x01" + "e\x85R",
                 "OrderedDict with arguments");
  pickle_refused(pkl_global("torch", "FloatStorage") + ")R", "REDUCE of the type FloatStorage");
  pickle_refused(pkl_global("torch._utils", "_rebuild_tensor_v2") + ")R",
                 "_rebuild_tensor_v2 with other arguments");
  pickle_refused(pkl_global("torch._utils", "_rebuild_parameter") + "(NN}tR",
                 "_rebuild_parameter with other");
  pickle_refused("}}b", "BUILD on a plain dictionary");
  pickle_refused("N}b", "BUILD on None");
  pickle_refused(pkl_ordered_dict() + "}" + pkl_text("__class__") + "}sb", "BUILD with another state");
  pickle_refused("(K\x01tQ", "BINPERSID of something else");
  pickle_refused("(" + pkl_text("storage") + pkl_global("collections", "OrderedDict") + pkl_text("0") +
                     pkl_text("cpu") + "K\x06tQ",
                 "BINPERSID of something else");
  pickle_refused("K\x01", "holds an integer, expected a dictionary of tensors");
  pickle_refused("}" + pkl_text("w") + pkl_good_tensor() + "s" + pkl_text("w") + pkl_good_tensor() + "s",
                 "twice");
}

BOOST_AUTO_TEST_CASE(bombs_are_refused_at_their_limits) {
  pickle_refused("}r\xff\xff\xff\xff", "memo place 4294967295 is over");
  pickle_refused(std::string(1'000'001, 'N'), "over 1000000 values");
  pickle_refused(
      "Nq\x01" +
          [] {
            std::string out;
            for (int i = 0; i < 1'000'001; ++i) out += "h\x01";
            return out;
          }(),
      "over 1000000 values");
  pickle_refused(std::string(1'000'002, '('), "over 1000000 marks");
  std::string doubling = "]q" + std::string(1, '\0');  // each list holds the one before it eight times
  for (char i = 1; i < 20; ++i) {
    doubling += "](";
    for (int k = 0; k < 8; ++k) doubling += std::string("h") + static_cast<char>(i - 1);
    doubling += std::string("eq") + i;
  }
  pickle_refused("(" + doubling + "t", "over 1000000 values once shared ones are counted");
  pickle_refused(
      "]q\x01h\x01"
      "a",
      "nested deeper than 64");
  pickle_refused(std::string(70, ']') + std::string(69, 'a'), "nested deeper than 64");
  pickle_refused("\x8a\x09" + std::string(9, '\1'), "LONG1 of 9 bytes");
  pickle_refused("\x8a\xff" + std::string(255, '\1'), "LONG1 of 255 bytes");
  pickle_refused("X\xff\xff\xff\xff", "a text needs 4294967295 bytes");
  refused(zip_of(torch_parts("\x80\x02}.N")), "1 bytes after STOP");
  refused(zip_of(torch_parts("\x80\x02}")), "truncated");
  refused(zip_of(torch_parts("\x80\x04}.")), "protocol 2");
  refused(zip_of(torch_parts("}.")), "protocol 2");
  refused(zip_of(torch_parts("")), "data.pkl");
  const std::string large(1000, 'N');
  check_fails([&] { pickle_document(std::as_bytes(std::span(large)), "x", {.bytes = 999}); }, status::data,
              "a pickle of 1000 bytes");
}

BOOST_AUTO_TEST_CASE(tensors_that_do_not_fit_their_record_are_refused) {
  const std::string good = pkl_storage("FloatStorage", "0", 6);
  const auto tensor = [](const std::string& storage, std::int64_t offset, const std::string& shape,
                         const std::string& strides, std::string_view reason) {
    pickle_refused(dict_of(pkl_tensor(storage, offset, shape, strides)), reason);
  };
  tensor(good, 0, pkl_ints({2, 3}), pkl_ints({1, 2}), "not contiguous");
  tensor(good, 0, pkl_ints({2, 3}), pkl_ints({0, 1}), "not contiguous");
  tensor(good, 0, pkl_ints({2, 3}), pkl_ints({-3, 1}), "a stride is not an integer of at least 0");
  tensor(good, 0, pkl_ints({-2, 3}), pkl_ints({3, 1}), "a dimension is not an integer of at least 0");
  tensor(good, -1, pkl_ints({2, 3}), pkl_ints({3, 1}), "its offset is not an integer of at least 0");
  tensor(good, 1, pkl_ints({2, 3}), pkl_ints({3, 1}), "elements 1 to 7 of a record of 6");
  tensor(good, INT64_MAX, pkl_ints({2, 3}), pkl_ints({3, 1}), "of a record of 6");
  tensor(good, 0, pkl_ints({3, 3}), pkl_ints({3, 1}), "elements 0 to 9 of a record of 6");
  tensor(good, 0, pkl_ints({INT64_MAX, INT64_MAX, 4}), pkl_ints({0, 4, 1}), "is");
  tensor(good, 0, pkl_ints({INT64_MAX, 4}), pkl_ints({4, 1}), "is too large");
  tensor(good, 0, pkl_ints({6}), pkl_ints({1, 1}), "1 dimensions and 2 strides");
  tensor(good, 0, pkl_ints({1, 1, 1, 1, 1, 1, 1, 1, 6}), pkl_ints({6, 6, 6, 6, 6, 6, 6, 6, 1}), "at most 8");
  tensor(good, 0, "(" + pkl_text("6") + "t", pkl_ints({1}), "a dimension is not an integer");
  tensor(pkl_storage("FloatStorage", "0", 7), 0, pkl_ints({6}), pkl_ints({1}),
         "the record has 24 bytes, 7 elements");
  tensor(pkl_storage("HalfStorage", "0", 6), 0, pkl_ints({6}), pkl_ints({1}), "the record has 24 bytes");
  tensor(pkl_storage("DoubleStorage", "0", INT64_MAX), 0, pkl_ints({6}), pkl_ints({1}), "too large");
  tensor(pkl_storage("FloatStorage", "0", -6), 0, pkl_ints({6}), pkl_ints({1}),
         "its number of elements is not");
  tensor(pkl_storage("FloatStorage", "9", 6), 0, pkl_ints({6}), pkl_ints({1}), "there is no such record");
  tensor(pkl_storage("FloatStorage", "../version", 6), 0, pkl_ints({6}), pkl_ints({1}),
         "there is no such record");
}

BOOST_AUTO_TEST_CASE(archives_whose_headers_lie_are_refused) {
  const auto changed = [](auto change) {
    std::vector<zip_part> parts = good_parts();
    change(parts);
    return parts;
  };
  const auto part = [&](std::size_t i, auto change) {
    return zip_of(changed([&](auto& parts) { change(parts[i]); }));
  };
  refused(part(0, [](zip_part& p) { p.flags |= 1; }), "is encrypted");
  refused(part(2, [](zip_part& p) { p.flags |= 0x40; }), "unknown flags");
  refused(part(2, [](zip_part& p) { p.method = 8; }), "is compressed (method 8)");
  refused(part(0, [](zip_part& p) { p.crc ^= 1; }), "CRC");
  refused(part(2, [](zip_part& p) { p.crc ^= 1; }), "CRC");
  refused(part(2, [](zip_part& p) { p.local_name = "m/data/1"; }), "names in its local header");
  refused(part(2, [](zip_part& p) { p.size = 20; }), "bad.pt");
  refused(part(2, [](zip_part& p) { p.size = 1 << 20; }), "ends behind the members");
  refused(part(2, [](zip_part& p) { p.size = 0xffffffff; }), "ends behind the members");
  refused(part(2,
               [](zip_part& p) {
                 p.size = 0xffffffff;
                 p.central_extra = little(std::uint16_t{1}) + little(std::uint16_t{16}) +
                                   little(std::uint64_t{1} << 60) + little(std::uint64_t{1} << 60);
               }),
          "ends behind the members");
  refused(part(2, [](zip_part& p) { p.header = 0; }), "names in its local header");
  refused(part(2, [](zip_part& p) { p.header = 7; }), "no local header");
  refused(part(2, [](zip_part& p) { p.header = 1 << 30; }), "starts behind the members");
  refused(part(1, [](zip_part& p) { p.data = "big", p.crc = crc32_of(p.data); }), "byte order");
  refused(part(0, [](zip_part& p) { p.name = p.local_name = "m/other.pkl"; }),
          "0 members are called */data.pkl");
  refused(part(3, [](zip_part& p) { p.name = p.local_name = "n/data.pkl"; }),
          "2 members are called */data.pkl");
  refused(part(3, [](zip_part& p) { p.name = p.local_name = "../m/version"; }), "outside the folder");
  refused(part(3, [](zip_part& p) { p.name = p.local_name = "m/data/0"; }), "two members are called");
  refused(zip_of(changed([](auto& parts) {
            parts.push_back({"m/data/1", "x", 0x0808, 0, "m/data/0"});
          })),
          "names");
  // The same bytes as two members.
  refused(zip_of(changed([](auto& parts) {
            parts.push_back(parts[2]);
            parts[4].name = "m/data/1";
            parts[4].header = 0;
          })),
          "names in its local header");
}

BOOST_AUTO_TEST_CASE(archives_with_a_wrong_end_are_refused) {
  const std::string good = zip_of(good_parts());
  refused(zip_of(good_parts(), {.before = "#!/bin/sh\n"}), "no zip archive of torch.save");
  refused(zip_of(good_parts(), {.after = "x"}), "no zip end record");
  refused(zip_of(good_parts(), {.comment = "hello"}), "no zip end record");
  refused(zip_of(good_parts(), {.count = 3}), "bytes between the zip directory and its end record");
  refused(zip_of(good_parts(), {.count = 5}), "bad.pt");
  refused(zip_of(good_parts(), {.count = 60'000}), "does not end where its end record begins");
  refused(zip_of(good_parts(), {.count64 = 1 << 30}), "at most 100000 are allowed");
  refused(zip_of(good_parts(), {.count64 = INT64_MAX}), "at most 100000 are allowed");
  refused(zip_of(good_parts(), {.directory = 1}), "does not end where its end record begins");
  refused(zip_of(good_parts(), {.directory = -4}), "does not end where its end record begins");
  refused(zip_of({}), "no zip archive of torch.save");
  refused("", "no zip archive of torch.save");
  refused("PK\x03\x04", "no end record");
  refused(std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15) + std::string(40, 'x'),
          "legacy format of torch.save before version 1.6");
  for (std::size_t size = 0; size < good.size(); ++size) refused(good.substr(0, size), "bad.pt");
}

BOOST_AUTO_TEST_CASE(no_changed_byte_of_a_good_file_does_harm) {
  const scratch_folder folder;
  const std::string good = zip_of(good_parts());
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const int bit : {0, 3, 7}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      const auto path = folder.write("flipped.pt", bad);
      const allocation_meter meter;
      try {
        open_and_read(path);
      } catch (const error& e) {
        BOOST_TEST(static_cast<int>(e.code()) == static_cast<int>(status::data));
      }
      BOOST_TEST(meter.largest() < most);
    }
}

BOOST_AUTO_TEST_SUITE_END()
