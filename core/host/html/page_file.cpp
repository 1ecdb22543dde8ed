// SPDX-License-Identifier: Apache-2.0
#include "html/page_file.hpp"

#include "depthlens/base/error.hpp"
#include "html/page_head.hpp"

#include <fstream>
#include <string>
#include <system_error>

namespace depthlens {

void refuse_as_page(std::string_view option, const std::filesystem::path& page) {
  std::error_code absent;
  if (!std::filesystem::is_regular_file(page, absent)) return;
  // As mktemp makes one: nothing is lost.
  if (std::filesystem::file_size(page, absent) == 0) return;
  std::string begin(page_begin.size(), '\0');
  std::ifstream(page, std::ios::binary).read(begin.data(), static_cast<std::streamsize>(begin.size()));
  if (begin != page_begin)
    fail(status::usage, option, " ", page.string(), ": is there already and is no page; choose another name");
}

}  // namespace depthlens
