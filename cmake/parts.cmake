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

add_library(part_sqlite3 INTERFACE)
find_library(PENSTOCK_SQLITE libsqlite3.a REQUIRED)
target_link_libraries(part_sqlite3 INTERFACE ${PENSTOCK_SQLITE} m dl pthread)

add_library(part_onnxruntime INTERFACE)
target_include_directories(part_onnxruntime SYSTEM INTERFACE ${PENSTOCK_DEPS}/onnxruntime/include)
target_link_libraries(part_onnxruntime INTERFACE dl)

add_library(part_tomlplusplus INTERFACE)
add_library(part_cli11 INTERFACE)
add_library(part_nanobind INTERFACE)
