// SPDX-License-Identifier: Apache-2.0
// Which files a page may take the place of.
#pragma once

#include <filesystem>
#include <string_view>

namespace depthlens {

// A page takes the place of a page alone, so that none replaces a model, data or the files of a run: throws
// status::usage, naming the option, where another file with something in it has the name. What is no regular
// file is left to whoever opens it.
void refuse_as_page(std::string_view option, const std::filesystem::path& page);

}  // namespace depthlens
