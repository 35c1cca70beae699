# Third-party parts, one target part_NAME each. What each is for, its licence and what would replace it:
# docs/dependencies.md. Fetched parts lie under .deps/ (tools/fetch.py); the others are Debian packages.

set(PENSTOCK_DEPS ${CMAKE_SOURCE_DIR}/.deps)

find_path(PENSTOCK_FMT_INCLUDE fmt/format.h REQUIRED)
add_library(part_fmt STATIC ${CMAKE_SOURCE_DIR}/cmake/parts/fmt.cc)

add_library(part_crypto INTERFACE)
find_library(PENSTOCK_CRYPTO libcrypto.a REQUIRED)
target_link_libraries(part_crypto INTERFACE ${PENSTOCK_CRYPTO})

add_library(part_simdjson STATIC ${PENSTOCK_DEPS}/simdjson/simdjson.cpp)
target_include_directories(part_simdjson SYSTEM PUBLIC ${PENSTOCK_DEPS}/simdjson)
target_compile_definitions(part_simdjson PUBLIC SIMDJSON_EXCEPTIONS=0)
if(PENSTOCK_SANITIZE)
  # Instrumenting its 2 MB takes minutes; its templates are instrumented where our sources use them.
  target_compile_options(part_simdjson PRIVATE -fno-sanitize=all)
endif()

add_library(part_sqlite3 INTERFACE)
find_library(PENSTOCK_SQLITE libsqlite3.a REQUIRED)
target_link_libraries(part_sqlite3 INTERFACE ${PENSTOCK_SQLITE} m dl pthread)

add_library(part_onnxruntime INTERFACE)
target_include_directories(part_onnxruntime SYSTEM INTERFACE ${PENSTOCK_DEPS}/onnxruntime/include)
target_link_libraries(part_onnxruntime INTERFACE dl)
# Programs and the module open the library beside themselves when a model needs it.
file(MAKE_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
file(CREATE_LINK ${PENSTOCK_DEPS}/onnxruntime/lib/libonnxruntime.so.1
     ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/libonnxruntime.so.1 SYMBOLIC)

add_library(part_duckdb INTERFACE)
target_include_directories(part_duckdb SYSTEM INTERFACE ${PENSTOCK_DEPS}/duckdb/include)
target_link_libraries(part_duckdb INTERFACE dl)
file(CREATE_LINK ${PENSTOCK_DEPS}/duckdb/lib/libduckdb.so ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/libduckdb.so SYMBOLIC)

add_library(part_tomlplusplus INTERFACE)
add_library(part_cli11 INTERFACE)
add_library(part_nanobind INTERFACE)

# The stream half of nanoarrow and the FlatBuffers runtime under it. Its symbols carry a prefix of ours, since another
# library in a Python process may hold another nanoarrow.
set(PENSTOCK_NANOARROW ${PENSTOCK_DEPS}/nanoarrow/subprojects/arrow-nanoarrow/src)
file(GLOB PENSTOCK_FLATCC ${PENSTOCK_DEPS}/nanoarrow/subprojects/flatcc-*)
set(NANOARROW_VERSION_MAJOR 0)
set(NANOARROW_VERSION_MINOR 9)
set(NANOARROW_VERSION_PATCH 0)
set(NANOARROW_VERSION 0.9.0)
set(NANOARROW_NAMESPACE_DEFINE "#define NANOARROW_NAMESPACE Penstock")
configure_file(${PENSTOCK_NANOARROW}/nanoarrow/nanoarrow_config.h.in
               ${CMAKE_BINARY_DIR}/parts/nanoarrow/nanoarrow_config.h @ONLY)
add_library(part_nanoarrow STATIC
  ${PENSTOCK_NANOARROW}/nanoarrow/common/array.c
  ${PENSTOCK_NANOARROW}/nanoarrow/common/schema.c
  ${PENSTOCK_NANOARROW}/nanoarrow/common/utils.c
  ${PENSTOCK_NANOARROW}/nanoarrow/ipc/codecs.c
  ${PENSTOCK_NANOARROW}/nanoarrow/ipc/decoder.c
  ${PENSTOCK_NANOARROW}/nanoarrow/ipc/encoder.c
  ${PENSTOCK_NANOARROW}/nanoarrow/ipc/reader.c
  ${PENSTOCK_NANOARROW}/nanoarrow/ipc/writer.c
  ${PENSTOCK_FLATCC}/src/runtime/builder.c
  ${PENSTOCK_FLATCC}/src/runtime/emitter.c
  ${PENSTOCK_FLATCC}/src/runtime/refmap.c
  ${PENSTOCK_FLATCC}/src/runtime/verifier.c)
set_target_properties(part_nanoarrow PROPERTIES C_STANDARD 11)
target_include_directories(part_nanoarrow SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/parts ${PENSTOCK_NANOARROW})
target_include_directories(part_nanoarrow SYSTEM PRIVATE ${PENSTOCK_FLATCC}/include)
