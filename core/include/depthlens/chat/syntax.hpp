// SPDX-License-Identifier: Apache-2.0
// A Jinja template as a tree: statements, and the expressions in them. Immutable once it is parsed.
#pragma once

#include "depthlens/chat/value.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::chat {

struct expression;
using expression_ptr = std::unique_ptr<const expression>;

// f(1, key=2)
struct call_arguments {
  std::vector<expression_ptr> plain = {};
  std::vector<std::pair<std::string, expression_ptr>> named = {};
};

struct expression {
  enum kind_type {
    literal,      // constant
    name,         // word
    item,         // of[0][of[1]]; x.word is x['word']
    slice,        // of[0][of[1]:of[2]:of[3]], each of the last three may be null
    call,         // of[0](arguments)
    method,       // of[0].word(arguments)
    filter,       // of[0] | word(arguments)
    test,         // of[0] is word(arguments); "is not" stands under a `negation`
    negation,     // not of[0]
    minus,        // -of[0]
    binary,       // of[0] word of[1]: and, or, in, signs
    conditional,  // of[1] if of[0] else of[2], which may be null
    list,         // [of...]
    dict          // {literals of even places: of odd places}
  } kind = literal;
  std::string word = {};
  value constant = {};
  std::vector<expression_ptr> of = {};
  call_arguments arguments = {};
};

struct statement;
using statement_list = std::vector<statement>;

struct branch {
  expression_ptr condition;  // null = else
  statement_list body;
};

// {% macro name(parameter, parameter=fallback) %}
struct macro_node {
  std::string name;
  std::vector<std::pair<std::string, expression_ptr>> parameters;  // with fallbacks, or null
  statement_list body;
};

struct statement {
  enum kind_type {
    text,       // word
    output,     // {{ first }}
    condition,  // branches
    loop,       // for names in first if second; branches[0] is the body, [1] what is done for none
    assign,     // names = first; {names[0].names[1] = first} where `member`
    capture,    // names[0] = what branches[0] prints
    macro,      // macro
    break_loop,
    continue_loop
  } kind = text;
  std::size_t line = 1;
  std::string word = {};
  std::vector<std::string> names = {};
  bool member = false;
  expression_ptr first = {}, second = {};
  std::vector<branch> branches = {};
  std::unique_ptr<const macro_node> defined = {};
};

}  // namespace depthlens::chat
