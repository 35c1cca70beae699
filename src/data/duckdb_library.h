// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <duckdb.h>

#include <memory>
#include <string>

#include "base/result.h"

// The functions of DuckDB's C API that are used.
#define PENSTOCK_DUCKDB_FUNCTIONS(X)        \
  X(library_version)                        \
  X(create_config)                          \
  X(set_config)                             \
  X(destroy_config)                         \
  X(open_ext)                               \
  X(close)                                  \
  X(connect)                                \
  X(disconnect)                             \
  X(interrupt)                              \
  X(query)                                  \
  X(destroy_result)                         \
  X(extract_statements)                     \
  X(extract_statements_error)               \
  X(destroy_extracted)                      \
  X(prepare_extracted_statement)            \
  X(prepare_error)                          \
  X(destroy_prepare)                        \
  X(prepared_statement_type)                \
  X(nparams)                                \
  X(prepared_statement_column_count)        \
  X(prepared_statement_column_name)         \
  X(prepared_statement_column_logical_type) \
  X(get_type_id)                            \
  X(destroy_logical_type)                   \
  X(pending_prepared_streaming)             \
  X(pending_error)                          \
  X(execute_pending)                        \
  X(destroy_pending)                        \
  X(fetch_chunk)                            \
  X(result_error)                           \
  X(data_chunk_get_size)                    \
  X(data_chunk_get_vector)                  \
  X(vector_get_data)                        \
  X(vector_get_validity)                    \
  X(destroy_data_chunk)                     \
  X(free)

namespace penstock::data {

// libduckdb, opened when the first source needs it: 70 MB that nobody else pays for. It stays
// mapped, because it cannot be unloaded safely. Immutable and thread-safe.
class DuckdbLibrary {
 public:
  // The library at PENSTOCK_DUCKDB; if that is not set beside this program or module, then in
  // ../lib from there. kFailedPrecondition, with the places, when it is in none of them or lacks a
  // function.
  static Result<std::shared_ptr<const DuckdbLibrary>> Open();

  // duckdb_open_ext and so on, without their prefix.
  // NOLINTNEXTLINE(bugprone-macro-parentheses): the name of a member
#define PENSTOCK_DECLARE(name) decltype(&::duckdb_##name) name = nullptr;
  PENSTOCK_DUCKDB_FUNCTIONS(PENSTOCK_DECLARE)
#undef PENSTOCK_DECLARE
};

// A DuckDB object, given back with the library's function for its type.
template <typename T>
class DuckdbHandle {
 public:
  using Destroy = void (*)(T*);

  explicit DuckdbHandle(Destroy destroy) : destroy_(destroy) {}
  DuckdbHandle(DuckdbHandle&& other) noexcept
      : destroy_(other.destroy_), value_(std::exchange(other.value_, T{})) {}
  DuckdbHandle& operator=(DuckdbHandle&& other) noexcept {
    std::swap(destroy_, other.destroy_);
    std::swap(value_, other.value_);
    return *this;
  }
  ~DuckdbHandle() { destroy_(&value_); }

  T get() const { return value_; }
  // Where a creating function writes to.
  T* out() { return &value_; }

 private:
  Destroy destroy_;
  T value_{};
};

}  // namespace penstock::data
