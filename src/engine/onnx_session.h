// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/onnxruntime_library.h"
#include "package/tensors.h"

namespace penstock::engine {

// A tensor that a session takes or gives.
struct OnnxTensorInfo {
  std::string name;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::vector<int64_t> shape;  // -1: any

  size_t rank() const { return shape.size(); }
};

// An ONNX model loaded into ONNX Runtime. Immutable and thread-safe.
class OnnxSession {
 public:
  static Result<std::unique_ptr<OnnxSession>> Load(std::shared_ptr<const OrtLibrary> library,
                                                   std::string_view bytes);

  const OrtLibrary& library() const { return *library_; }
  const OrtApi& api() const { return library_->api(); }
  OrtSession* get() const { return session_.get(); }
  const OrtMemoryInfo* memory() const { return memory_.get(); }
  OrtAllocator* allocator() const { return allocator_; }
  const std::vector<OnnxTensorInfo>& inputs() const { return inputs_; }
  const std::vector<OnnxTensorInfo>& outputs() const { return outputs_; }

  // Shape of a value that is a tensor; kInternal for any other.
  Result<OnnxTensorInfo> InfoOf(const OrtValue* value) const;

 private:
  explicit OnnxSession(std::shared_ptr<const OrtLibrary> library);
  Status Create(std::string_view bytes);
  Result<std::vector<OnnxTensorInfo>> Describe(bool are_inputs) const;
  Result<OnnxTensorInfo> TensorInfo(const OrtTensorTypeAndShapeInfo* info) const;

  std::shared_ptr<const OrtLibrary> library_;
  OrtHandle<OrtSession> session_;
  OrtHandle<OrtMemoryInfo> memory_;
  OrtAllocator* allocator_ = nullptr;  // ONNX Runtime's default one, which nobody releases
  std::vector<OnnxTensorInfo> inputs_;
  std::vector<OnnxTensorInfo> outputs_;
};

// One input or output of a binding, with the memory behind it. Numbers lie in `numbers`, texts
// inside the value.
struct OnnxBuffer {
  OnnxTensorInfo info;  // with the binding's number of rows
  OrtHandle<OrtValue> value;
  std::vector<char> numbers;
};

// An output as a run left it; borrowed from the binding until its next run.
struct OnnxOutput {
  const OrtValue* value = nullptr;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  int64_t count = 0;           // of elements
  const void* data = nullptr;  // of numbers; null for texts
};

// Inputs and outputs for calls of one number of rows, allocated once. Not thread-safe; the session
// must outlive it.
class OnnxBinding {
 public:
  // Outputs with fixed shapes are written to memory of the binding; the others are allocated by
  // each run.
  struct Output {
    OnnxTensorInfo info;
    bool is_fixed = false;
  };
  static Result<OnnxBinding> Make(const OnnxSession& session, const package::Encoding& encoding,
                                  const std::vector<Output>& outputs, int64_t rows);

  int64_t rows() const { return rows_; }
  // Takes `given` rows, at most rows() and at least one; the last of them fills the rest.
  Status SetInputs(const std::vector<package::Tensor>& tensors, int64_t given);
  Status Run();
  // After a run; in the order of the outputs.
  Result<OnnxOutput> output(size_t i) const;
  Result<OnnxTensorInfo> output_info(size_t i) const;

 private:
  OnnxBinding(const OnnxSession& session, int64_t rows);
  Result<OnnxBuffer> MakeBuffer(OnnxTensorInfo info) const;
  Status BindInput(const OnnxTensorInfo& info);
  Status BindOutput(const Output& output);
  Status FetchRunOutputs();
  const OrtValue* ValueOf(size_t i) const;
  Status SetTexts(const OnnxBuffer& buffer, const package::Tensor& tensor, int64_t given);

  const OnnxSession* session_;
  int64_t rows_;
  OrtHandle<OrtIoBinding> binding_;
  std::vector<OnnxBuffer> inputs_;
  std::vector<OnnxBuffer> outputs_;  // without a value where it is not fixed
  bool has_run_outputs_ = false;
  std::vector<OrtHandle<OrtValue>> run_outputs_;  // all of them, when any is not fixed
};

}  // namespace penstock::engine
