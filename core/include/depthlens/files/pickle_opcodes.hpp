// SPDX-License-Identifier: Apache-2.0
// Names of all pickle opcodes, for errors, and the globals that a pickle of tensors may name. Storage types
// that hold no floating-point numbers are known because checkpoints keep masks and position ids in them; they
// are listed and never computed with.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "depthlens/base/error.hpp"
#include "depthlens/files/tensor.hpp"

namespace depthlens::detail {

enum class pickle_use : std::uint8_t { ordered_dict, rebuild_tensor, rebuild_parameter, storage_type };

struct pickle_global {
  std::string_view module, name;
  pickle_use use;
  const char* type_name = "";  // as safetensors spells it
  std::uint32_t bytes = 0;     // of an element
  dtype type = dtype::other;
};

inline constexpr std::array pickle_globals = {
    pickle_global{"collections", "OrderedDict", pickle_use::ordered_dict},
    pickle_global{"torch._utils", "_rebuild_tensor_v2", pickle_use::rebuild_tensor},
    pickle_global{"torch._utils", "_rebuild_parameter", pickle_use::rebuild_parameter},
    pickle_global{"torch", "FloatStorage", pickle_use::storage_type, "F32", 4, dtype::f32},
    pickle_global{"torch", "HalfStorage", pickle_use::storage_type, "F16", 2, dtype::f16},
    pickle_global{"torch", "BFloat16Storage", pickle_use::storage_type, "BF16", 2, dtype::bf16},
    pickle_global{"torch", "DoubleStorage", pickle_use::storage_type, "F64", 8},
    pickle_global{"torch", "LongStorage", pickle_use::storage_type, "I64", 8},
    pickle_global{"torch", "IntStorage", pickle_use::storage_type, "I32", 4},
    pickle_global{"torch", "ByteStorage", pickle_use::storage_type, "U8", 1},
    pickle_global{"torch", "BoolStorage", pickle_use::storage_type, "BOOL", 1},
};

struct pickle_opcode {
  char code;
  const char* name;
};

inline constexpr pickle_opcode pickle_opcodes[] = {
    {'(', "MARK"},
    {'.', "STOP"},
    {'0', "POP"},
    {'1', "POP_MARK"},
    {'2', "DUP"},
    {'F', "FLOAT"},
    {'I', "INT"},
    {'J', "BININT"},
    {'K', "BININT1"},
    {'L', "LONG"},
    {'M', "BININT2"},
    {'N', "NONE"},
    {'P', "PERSID"},
    {'Q', "BINPERSID"},
    {'R', "REDUCE"},
    {'S', "STRING"},
    {'T', "BINSTRING"},
    {'U', "SHORT_BINSTRING"},
    {'V', "UNICODE"},
    {'X', "BINUNICODE"},
    {'a', "APPEND"},
    {'b', "BUILD"},
    {'c', "GLOBAL"},
    {'d', "DICT"},
    {'}', "EMPTY_DICT"},
    {'e', "APPENDS"},
    {'g', "GET"},
    {'h', "BINGET"},
    {'i', "INST"},
    {'j', "LONG_BINGET"},
    {'l', "LIST"},
    {']', "EMPTY_LIST"},
    {'o', "OBJ"},
    {'p', "PUT"},
    {'q', "BINPUT"},
    {'r', "LONG_BINPUT"},
    {'s', "SETITEM"},
    {'t', "TUPLE"},
    {')', "EMPTY_TUPLE"},
    {'u', "SETITEMS"},
    {'G', "BINFLOAT"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {'\x80', "PROTO"},
    {'\x81', "NEWOBJ"},
    {'\x82', "EXT1"},
    {'\x83', "EXT2"},
    {'\x84', "EXT4"},
    {'\x85', "TUPLE1"},
    {'\x86', "TUPLE2"},
    {'\x87', "TUPLE3"},
    {'\x88', "NEWTRUE"},
    {'\x89', "NEWFALSE"},
    {'\x8a', "LONG1"},
    {'\x8b', "LONG4"},
    {'\x8c', "SHORT_BINUNICODE"},
    {'\x8d', "BINUNICODE8"},
    {'\x8e', "BINBYTES8"},
    {'\x8f', "EMPTY_SET"},
    {'\x90', "ADDITEMS"},
    {'\x91', "FROZENSET"},
    {'\x92', "NEWOBJ_EX"},
    {'\x93', "STACK_GLOBAL"},
    {'\x94', "MEMOIZE"},
    {'\x95', "FRAME"},
    {'\x96', "BYTEARRAY8"},
    {'\x97', "NEXT_BUFFER"},
    {'\x98', "READONLY_BUFFER"},
};

inline std::string pickle_opcode_name(std::uint8_t code) {
  for (const pickle_opcode& o : pickle_opcodes)
    if (static_cast<std::uint8_t>(o.code) == code) return o.name;
  return cat(static_cast<unsigned>(code));
}

}  // namespace depthlens::detail
