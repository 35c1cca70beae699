// SPDX-License-Identifier: Apache-2.0
#include "engine/onnx_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace penstock::engine {
namespace {

using package::Type;

constexpr std::string_view kLoading = "ONNX Runtime refuses the model";
constexpr std::string_view kRunning = "ONNX Runtime did not answer";

size_t NumberSize(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return sizeof(float);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return sizeof(double);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return sizeof(bool);
    default:
      return 0;
  }
}

int64_t ElementCount(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

// Row-major values of `given` rows, then the last row again up to the end of the buffer.
void FillRows(const void* values, int64_t given, int64_t rows, std::vector<char>& buffer) {
  const size_t row_bytes = buffer.size() / static_cast<size_t>(rows);
  const size_t given_bytes = row_bytes * static_cast<size_t>(given);
  std::memcpy(buffer.data(), values, given_bytes);
  for (size_t at = given_bytes; at < buffer.size(); at += row_bytes)
    std::memcpy(buffer.data() + at, buffer.data() + given_bytes - row_bytes, row_bytes);
}

}  // namespace

OnnxSession::OnnxSession(std::shared_ptr<const OrtLibrary> library)
    : library_(std::move(library)),
      session_(api().ReleaseSession),
      memory_(api().ReleaseMemoryInfo) {}

Result<std::unique_ptr<OnnxSession>> OnnxSession::Load(std::shared_ptr<const OrtLibrary> library,
                                                       std::string_view bytes) {
  std::unique_ptr<OnnxSession> session(new OnnxSession(std::move(library)));
  PENSTOCK_TRY(session->Create(bytes));
  session->inputs_ = PENSTOCK_TRY(session->Describe(true));
  session->outputs_ = PENSTOCK_TRY(session->Describe(false));
  return session;
}

Status OnnxSession::Create(std::string_view bytes) {
  const auto take = [&](OrtStatus* status) { return library_->Take(status, kLoading); };
  OrtHandle<OrtSessionOptions> options(api().ReleaseSessionOptions);
  PENSTOCK_TRY(take(api().CreateSessionOptions(options.out())));
  // The server gives each of its threads calls of its own: threads inside a call would only take
  // turns with them.
  PENSTOCK_TRY(take(api().SetIntraOpNumThreads(options.get(), 1)));
  PENSTOCK_TRY(take(api().SetInterOpNumThreads(options.get(), 1)));
  PENSTOCK_TRY(
      take(api().AddSessionConfigEntry(options.get(), "session.intra_op.allow_spinning", "0")));
  PENSTOCK_TRY(
      take(api().AddSessionConfigEntry(options.get(), "session.inter_op.allow_spinning", "0")));
  // Nothing but the format that CheckSelfContained understands.
  PENSTOCK_TRY(
      take(api().AddSessionConfigEntry(options.get(), "session.load_model_format", "ONNX")));
  PENSTOCK_TRY(take(api().DisableCpuMemArena(options.get())));
  PENSTOCK_TRY(take(api().DisableMemPattern(options.get())));
  PENSTOCK_TRY(take(api().SetSessionLogSeverityLevel(options.get(), ORT_LOGGING_LEVEL_ERROR)));
  PENSTOCK_TRY(take(api().CreateSessionFromArray(library_->env(), bytes.data(), bytes.size(),
                                                 options.get(), session_.out())));
  PENSTOCK_TRY(
      take(api().CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, memory_.out())));
  return take(api().GetAllocatorWithDefaultOptions(&allocator_));
}

Result<OnnxTensorInfo> OnnxSession::TensorInfo(const OrtTensorTypeAndShapeInfo* info) const {
  OnnxTensorInfo tensor;
  size_t rank = 0;
  PENSTOCK_TRY(library_->Take(api().GetTensorElementType(info, &tensor.type), kLoading));
  PENSTOCK_TRY(library_->Take(api().GetDimensionsCount(info, &rank), kLoading));
  tensor.shape.resize(rank);
  PENSTOCK_TRY(library_->Take(api().GetDimensions(info, tensor.shape.data(), rank), kLoading));
  return tensor;
}

Result<std::vector<OnnxTensorInfo>> OnnxSession::Describe(bool are_inputs) const {
  size_t count = 0;
  const auto count_of = are_inputs ? api().SessionGetInputCount : api().SessionGetOutputCount;
  const auto name_of = are_inputs ? api().SessionGetInputName : api().SessionGetOutputName;
  const auto type_of = are_inputs ? api().SessionGetInputTypeInfo : api().SessionGetOutputTypeInfo;
  PENSTOCK_TRY(library_->Take(count_of(get(), &count), kLoading));
  std::vector<OnnxTensorInfo> tensors;
  for (size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    PENSTOCK_TRY(library_->Take(name_of(get(), i, allocator_, &name), kLoading));
    const std::string copy = name;
    PENSTOCK_TRY(library_->Take(api().AllocatorFree(allocator_, name), kLoading));
    OrtHandle<OrtTypeInfo> type(api().ReleaseTypeInfo);
    PENSTOCK_TRY(library_->Take(type_of(get(), i, type.out()), kLoading));
    const OrtTensorTypeAndShapeInfo* info = nullptr;
    PENSTOCK_TRY(library_->Take(api().CastTypeInfoToTensorInfo(type.get(), &info), kLoading));
    OnnxTensorInfo tensor;  // of an undefined type where it is no tensor
    if (info != nullptr) tensor = PENSTOCK_TRY(TensorInfo(info));
    tensor.name = copy;
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

Result<OnnxTensorInfo> OnnxSession::InfoOf(const OrtValue* value) const {
  int is_tensor = 0;
  PENSTOCK_TRY(library_->Take(api().IsTensor(value, &is_tensor), kRunning));
  if (is_tensor == 0) return Internal("ONNX Runtime gave a value that is no tensor");
  OrtHandle<OrtTensorTypeAndShapeInfo> info(api().ReleaseTensorTypeAndShapeInfo);
  PENSTOCK_TRY(library_->Take(api().GetTensorTypeAndShape(value, info.out()), kRunning));
  return TensorInfo(info.get());
}

OnnxBinding::OnnxBinding(const OnnxSession& session, int64_t rows)
    : session_(&session), rows_(rows), binding_(session.api().ReleaseIoBinding) {}

Result<OnnxBinding> OnnxBinding::Make(const OnnxSession& session, const package::Encoding& encoding,
                                      const std::vector<Output>& outputs, int64_t rows) {
  OnnxBinding binding(session, rows);
  PENSTOCK_TRY(session.library().Take(
      session.api().CreateIoBinding(session.get(), binding.binding_.out()), kRunning));
  for (const package::TensorSpec& spec : encoding.tensors) {
    const auto input =
        std::find_if(session.inputs().begin(), session.inputs().end(),
                     [&](const OnnxTensorInfo& info) { return info.name == spec.name; });
    PENSTOCK_CHECK(input != session.inputs().end());
    OnnxTensorInfo info = *input;
    info.shape = {rows};
    if (input->rank() == 2) info.shape.push_back(static_cast<int64_t>(spec.columns.size()));
    PENSTOCK_TRY(binding.BindInput(info));
  }
  for (const Output& output : outputs) PENSTOCK_TRY(binding.BindOutput(output));
  return binding;
}

Result<OnnxBuffer> OnnxBinding::MakeBuffer(OnnxTensorInfo info) const {
  const OrtApi& api = session_->api();
  OnnxBuffer buffer{std::move(info), OrtHandle<OrtValue>(api.ReleaseValue), {}};
  const int64_t* shape = buffer.info.shape.data();
  if (buffer.info.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING) {
    PENSTOCK_TRY(session_->library().Take(
        api.CreateTensorAsOrtValue(session_->allocator(), shape, buffer.info.rank(),
                                   buffer.info.type, buffer.value.out()),
        kRunning));
    return buffer;
  }
  buffer.numbers.resize(static_cast<size_t>(ElementCount(buffer.info.shape)) *
                        NumberSize(buffer.info.type));
  PENSTOCK_TRY(session_->library().Take(
      api.CreateTensorWithDataAsOrtValue(session_->memory(), buffer.numbers.data(),
                                         buffer.numbers.size(), shape, buffer.info.rank(),
                                         buffer.info.type, buffer.value.out()),
      kRunning));
  return buffer;
}

Status OnnxBinding::BindInput(const OnnxTensorInfo& info) {
  inputs_.push_back(PENSTOCK_TRY(MakeBuffer(info)));
  return session_->library().Take(
      session_->api().BindInput(binding_.get(), info.name.c_str(), inputs_.back().value.get()),
      kRunning);
}

Status OnnxBinding::BindOutput(const Output& output) {
  OnnxTensorInfo info = output.info;
  if (!output.is_fixed) {
    has_run_outputs_ = true;
    outputs_.push_back({info, OrtHandle<OrtValue>(session_->api().ReleaseValue), {}});
    return session_->library().Take(
        session_->api().BindOutputToDevice(binding_.get(), info.name.c_str(), session_->memory()),
        kRunning);
  }
  info.shape[0] = rows_;
  outputs_.push_back(PENSTOCK_TRY(MakeBuffer(info)));
  return session_->library().Take(
      session_->api().BindOutput(binding_.get(), info.name.c_str(), outputs_.back().value.get()),
      kRunning);
}

Status OnnxBinding::SetTexts(const OnnxBuffer& buffer, const package::Tensor& tensor,
                             int64_t given) {
  const auto width = static_cast<size_t>(tensor.width);
  const size_t count = static_cast<size_t>(rows_) * width;
  const size_t last = static_cast<size_t>(given - 1) * width;
  for (size_t i = 0; i < count; ++i) {
    const std::string& text = tensor.strings[i < last ? i : last + i % width];
    char* place = nullptr;
    PENSTOCK_TRY(session_->library().Take(session_->api().GetResizedStringTensorElementBuffer(
                                              buffer.value.get(), i, text.size(), &place),
                                          kRunning));
    std::memcpy(place, text.data(), text.size());
  }
  return {};
}

Status OnnxBinding::SetInputs(const std::vector<package::Tensor>& tensors, int64_t given) {
  PENSTOCK_CHECK(tensors.size() == inputs_.size() && given >= 1 && given <= rows_);
  for (size_t i = 0; i < tensors.size(); ++i) {
    OnnxBuffer& buffer = inputs_[i];
    const package::Tensor& tensor = tensors[i];
    switch (tensor.type) {
      case Type::kFloat64:
        FillRows(tensor.float64.data(), given, rows_, buffer.numbers);
        break;
      case Type::kFloat32:
        FillRows(tensor.float32.data(), given, rows_, buffer.numbers);
        break;
      case Type::kInt64:
        FillRows(tensor.int64.data(), given, rows_, buffer.numbers);
        break;
      case Type::kString:
      case Type::kBool:
        PENSTOCK_TRY(SetTexts(buffer, tensor, given));
    }
  }
  return {};
}

Status OnnxBinding::Run() {
  PENSTOCK_TRY(session_->library().Take(
      session_->api().RunWithBinding(session_->get(), nullptr, binding_.get()), kRunning));
  return has_run_outputs_ ? FetchRunOutputs() : Status();
}

Status OnnxBinding::FetchRunOutputs() {
  OrtValue** values = nullptr;
  size_t count = 0;
  const OrtApi& api = session_->api();
  PENSTOCK_TRY(session_->library().Take(
      api.GetBoundOutputValues(binding_.get(), session_->allocator(), &values, &count), kRunning));
  run_outputs_.clear();
  for (size_t i = 0; i < count; ++i) {
    run_outputs_.emplace_back(api.ReleaseValue);
    *run_outputs_.back().out() = values[i];
  }
  return session_->library().Take(api.AllocatorFree(session_->allocator(), values), kRunning);
}

const OrtValue* OnnxBinding::ValueOf(size_t i) const {
  return has_run_outputs_ ? run_outputs_.at(i).get() : outputs_.at(i).value.get();
}

Result<OnnxTensorInfo> OnnxBinding::output_info(size_t i) const {
  if (ValueOf(i) == nullptr) return Internal("ONNX Runtime left an output empty");
  return session_->InfoOf(ValueOf(i));
}

Result<OnnxOutput> OnnxBinding::output(size_t i) const {
  if (!has_run_outputs_) {
    const OnnxBuffer& buffer = outputs_[i];
    const void* data = buffer.numbers.empty() ? nullptr : buffer.numbers.data();
    return OnnxOutput{buffer.value.get(), buffer.info.type, ElementCount(buffer.info.shape), data};
  }
  const OnnxTensorInfo info = PENSTOCK_TRY(output_info(i));
  OnnxOutput output{ValueOf(i), info.type, ElementCount(info.shape), nullptr};
  if (NumberSize(info.type) > 0) {
    PENSTOCK_TRY(session_->library().Take(session_->api().GetTensorData(output.value, &output.data),
                                          kRunning));
  }
  return output;
}

}  // namespace penstock::engine
