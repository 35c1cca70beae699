# Turns the rows of cmake/layers.cmake into targets, and refuses what breaks the order.
#
# penstock_folder(NAME LAYER n USES folder... PARTS part...)  one static library from src/NAME/*.cc, one test program
#   from its *_test.cc, one fuzzer per *_fuzz.cc
# penstock_program(NAME MAIN file CLOSURE folder...)          an executable from src/programs/file
# penstock_module(NAME FOLDER folder CLOSURE folder...)       a Python extension module

find_package(GTest QUIET)
enable_testing()

# Writes <build>/embedded/FOLDER/WHAT.h: the texts of files as penstock::FOLDER::kWhat[], and their names as kWhatNames[].
function(penstock_embed folder what)
  set(names "")
  set(texts "")
  foreach(file IN LISTS ARGN)
    file(READ ${file} text)
    get_filename_component(name ${file} NAME)
    string(APPEND names "    \"${name}\",\n")
    string(APPEND texts "    R\"text(${text})text\",\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  string(SUBSTRING ${what} 0 1 initial)
  string(SUBSTRING ${what} 1 -1 rest)
  string(TOUPPER ${initial} initial)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/embedded/${folder}/${what}.h CONTENT
"#pragma once

#include <string_view>

namespace penstock::${folder} {

inline constexpr std::string_view k${initial}${rest}[] = {
${texts}};
inline constexpr std::string_view k${initial}${rest}Names[] = {
${names}};

}  // namespace penstock::${folder}
" @ONLY)
endfunction()

function(penstock_folder name)
  cmake_parse_arguments(ARG "" "LAYER" "USES;PARTS" ${ARGN})
  set_property(GLOBAL PROPERTY PENSTOCK_LAYER_${name} ${ARG_LAYER})
  set(reach ${name})
  foreach(used IN LISTS ARG_USES)
    get_property(used_layer GLOBAL PROPERTY PENSTOCK_LAYER_${used})
    if("${used_layer}" STREQUAL "")
      message(FATAL_ERROR "src/${name} uses '${used}', which is not a folder above it in cmake/layers.cmake.")
    endif()
    if(NOT used_layer LESS ARG_LAYER)
      message(FATAL_ERROR "src/${name} (layer ${ARG_LAYER}) uses src/${used} (layer ${used_layer}): a folder may use "
                          "only folders of a lower layer. Move what is shared down, or turn the call round.")
    endif()
    get_property(used_reach GLOBAL PROPERTY PENSTOCK_REACH_${used})
    list(APPEND reach ${used_reach})
  endforeach()
  list(REMOVE_DUPLICATES reach)
  set_property(GLOBAL PROPERTY PENSTOCK_REACH_${name} "${reach}")

  set(dir ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  set(fuzzers ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|benchmark)\\.cc$")

  set(embeds FALSE)
  foreach(what schema pages templates)
    file(GLOB texts CONFIGURE_DEPENDS ${dir}/${what}/*)
    if(texts)
      penstock_embed(${name} ${what} ${texts})
      set(embeds TRUE)
    endif()
  endforeach()

  set(visibility PUBLIC)
  if(name STREQUAL "bindings")
    return() # the module compiles it
  elseif(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PRIVATE penstock_warnings)
  else()
    add_library(${name} INTERFACE)
    set(visibility INTERFACE)
  endif()
  target_include_directories(${name} ${visibility} ${CMAKE_SOURCE_DIR}/src)
  if(embeds)
    target_include_directories(${name} PRIVATE ${CMAKE_BINARY_DIR}/embedded)
  endif()
  target_compile_definitions(${name} ${visibility} PENSTOCK_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name} ${visibility} ${ARG_USES})
  foreach(part IN LISTS ARG_PARTS)
    target_link_libraries(${name} ${visibility} part_${part})
  endforeach()

  if(PENSTOCK_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} penstock_warnings GTest::gmock_main GTest::gtest)
    target_compile_definitions(${name}_test PRIVATE PENSTOCK_TESTDATA="${dir}/testdata"
                               PENSTOCK_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
    if(embeds)
      target_include_directories(${name}_test PRIVATE ${CMAKE_BINARY_DIR}/embedded)
    endif()
    add_test(NAME ${name}_test COMMAND ${name}_test)
  endif()
  if(PENSTOCK_FUZZ)
    foreach(fuzzer IN LISTS fuzzers)
      get_filename_component(fuzzer_name ${fuzzer} NAME_WE)
      add_executable(${name}_${fuzzer_name} ${fuzzer})
      target_link_libraries(${name}_${fuzzer_name} PRIVATE ${name} penstock_warnings)
      target_link_options(${name}_${fuzzer_name} PRIVATE -fsanitize=fuzzer)
      if(NOT TARGET fuzzers)
        add_custom_target(fuzzers)
      endif()
      add_dependencies(fuzzers ${name}_${fuzzer_name})
    endforeach()
  endif()
endfunction()

function(penstock_check_closure name)
  cmake_parse_arguments(ARG "" "" "CLOSURE;REACHED" ${ARGN})
  foreach(folder IN LISTS ARG_REACHED)
    if(NOT folder IN_LIST ARG_CLOSURE)
      message(FATAL_ERROR "${name} reaches src/${folder}, which is outside its closure in cmake/layers.cmake.")
    endif()
  endforeach()
endfunction()

# What is shipped. mold keeps an undefined symbol of code that --gc-sections threw away, and with it the version of the C
# library that the symbol came in, which a wheel must not ask for: GNU ld links these three.
function(penstock_link_statically name)
  target_link_options(${name} PRIVATE -static-libstdc++ -Wl,--exclude-libs,ALL)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_link_options(${name} PRIVATE -fuse-ld=bfd)
  endif()
endfunction()

# The folders a program uses directly are those its MAIN includes; tools/layers.py holds them against the closure.
function(penstock_program name)
  cmake_parse_arguments(ARG "" "MAIN" "CLOSURE" ${ARGN})
  set(main ${CMAKE_SOURCE_DIR}/src/programs/${ARG_MAIN})
  if(NOT EXISTS ${main})
    return()
  endif()
  foreach(folder IN LISTS ARG_CLOSURE)
    get_property(reach GLOBAL PROPERTY PENSTOCK_REACH_${folder})
    penstock_check_closure(${name} CLOSURE ${ARG_CLOSURE} REACHED ${reach})
  endforeach()
  add_executable(${name} ${main})
  target_link_libraries(${name} PRIVATE ${ARG_CLOSURE} penstock_warnings)
  if(NOT PENSTOCK_SANITIZE AND NOT PENSTOCK_FUZZ)
    penstock_link_statically(${name})
  endif()
endfunction()

function(penstock_module name)
  cmake_parse_arguments(ARG "" "FOLDER" "CLOSURE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${ARG_FOLDER}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|benchmark)\\.cc$")
  if(NOT PENSTOCK_PYTHON OR NOT sources)
    return()
  endif()
  foreach(folder IN LISTS ARG_CLOSURE)
    get_property(reach GLOBAL PROPERTY PENSTOCK_REACH_${folder})
    penstock_check_closure(${name} CLOSURE ${ARG_CLOSURE} REACHED ${reach})
  endforeach()
  set(folders ${ARG_CLOSURE})
  list(REMOVE_ITEM folders ${ARG_FOLDER})
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)
  execute_process(COMMAND ${Python_EXECUTABLE} -m nanobind --cmake_dir OUTPUT_VARIABLE nanobind_ROOT
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  find_package(nanobind CONFIG REQUIRED)
  nanobind_add_module(${name} NB_STATIC ${sources})
  target_link_libraries(${name} PRIVATE ${folders} penstock_warnings)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  # Templates of the C++ library are visible whatever the compiler is told: only the linker can keep them in.
  set(exports ${CMAKE_BINARY_DIR}/${name}.exports)
  file(CONFIGURE OUTPUT ${exports} CONTENT "{ global: PyInit_${name}; local: *; };\n")
  target_link_options(${name} PRIVATE -Wl,--version-script=${exports})
  set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${exports})
  if(NOT PENSTOCK_SANITIZE)
    penstock_link_statically(${name})
    target_link_options(${name} PRIVATE -Wl,-Bsymbolic)
  endif()
endfunction()
