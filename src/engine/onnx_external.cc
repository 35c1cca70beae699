// SPDX-License-Identifier: Apache-2.0
#include "engine/onnx_external.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

namespace penstock::engine {
namespace {

// The messages of onnx.proto (https://github.com/onnx/onnx) through which a tensor can be reached.
enum class Message {
  kModel,
  kTraining,
  kGraph,
  kNode,
  kAttribute,
  kFunction,
  kSparseTensor,
  kTensor
};

struct Member {
  uint64_t number;
  Message message;
};

std::span<const Member> MembersOf(Message message) {
  static constexpr Member kModelMembers[] = {
      {7, Message::kGraph}, {20, Message::kTraining}, {25, Message::kFunction}};
  static constexpr Member kTrainingMembers[] = {{1, Message::kGraph}, {2, Message::kGraph}};
  static constexpr Member kGraphMembers[] = {
      {1, Message::kNode}, {5, Message::kTensor}, {15, Message::kSparseTensor}};
  static constexpr Member kNodeMembers[] = {{5, Message::kAttribute}};
  static constexpr Member kAttributeMembers[] = {
      {5, Message::kTensor}, {6, Message::kGraph},         {10, Message::kTensor},
      {11, Message::kGraph}, {22, Message::kSparseTensor}, {23, Message::kSparseTensor}};
  static constexpr Member kFunctionMembers[] = {{7, Message::kNode}, {11, Message::kAttribute}};
  static constexpr Member kSparseMembers[] = {{1, Message::kTensor}, {2, Message::kTensor}};
  switch (message) {
    case Message::kModel:
      return kModelMembers;
    case Message::kTraining:
      return kTrainingMembers;
    case Message::kGraph:
      return kGraphMembers;
    case Message::kNode:
      return kNodeMembers;
    case Message::kAttribute:
      return kAttributeMembers;
    case Message::kFunction:
      return kFunctionMembers;
    case Message::kSparseTensor:
      return kSparseMembers;
    case Message::kTensor:
      break;
  }
  return {};
}

constexpr uint64_t kTensorExternalData = 13;
constexpr uint64_t kTensorDataLocation = 14;

// One field of a protobuf message.
struct Field {
  uint64_t number = 0;
  uint64_t value = 0;        // of a varint
  std::string_view content;  // of a length-delimited field
  bool has_content = false;
};

std::optional<uint64_t> TakeVarint(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

// Nothing where the bytes are no field; groups, which onnx.proto does not use, are none either.
std::optional<Field> TakeField(std::string_view& bytes) {
  const auto tag = TakeVarint(bytes);
  if (!tag) return std::nullopt;
  Field field{.number = *tag >> 3};
  size_t size = 0;
  switch (*tag & 7) {
    case 0: {
      const auto value = TakeVarint(bytes);
      if (!value) return std::nullopt;
      field.value = *value;
      return field;
    }
    case 1:
      size = 8;
      break;
    case 2: {
      const auto length = TakeVarint(bytes);
      if (!length || *length > bytes.size()) return std::nullopt;
      size = *length;
      field.has_content = true;
      break;
    }
    case 5:
      size = 4;
      break;
    default:
      return std::nullopt;
  }
  if (size > bytes.size()) return std::nullopt;
  field.content = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return field;
}

Status NoModel() {
  return InvalidArgument("the file is no ONNX model: its bytes are no message of onnx.proto");
}

Status Check(Message message, std::string_view bytes, int depth) {
  if (depth > kOnnxDepthMax) return InvalidArgument("the ONNX model nests its graphs too deeply");
  while (!bytes.empty()) {
    const auto field = TakeField(bytes);
    if (!field) return NoModel();
    if (message == Message::kTensor) {
      const bool is_elsewhere = field->number == kTensorExternalData ||
                                (field->number == kTensorDataLocation && field->value != 0);
      if (!is_elsewhere) continue;
      return InvalidArgument(
          "the ONNX model keeps tensors in another file; export it as one file (onnx.save: "
          "save_as_external_data=False)");
    }
    if (!field->has_content) continue;
    for (const Member& member : MembersOf(message)) {
      if (member.number == field->number)
        PENSTOCK_TRY(Check(member.message, field->content, depth + 1));
    }
  }
  return {};
}

}  // namespace

Status CheckSelfContained(std::string_view model) {
  return model.empty() ? NoModel() : Check(Message::kModel, model, 0);
}

}  // namespace penstock::engine
