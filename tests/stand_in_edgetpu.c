// Stands in for libedgetpu in tests: the delegate's entry points, and a kernel
// that copies the input of `edgetpu-custom-op` to its output.
//
// What it does wrong is said by the environment variable STAND_IN:
//   no_device  gives no delegate, and no reason, like libedgetpu
//   reason     gives no delegate, and a reason
//   crash      crashes when it is opened
//   nothing    takes no operators
//   version    refuses the model as too new
//   wrong      inverts what it copies
//   lost:N     fails at the N-th inference
//   abort:N    ends the process at the N-th inference, like libedgetpu
// STAND_IN_LOG names a file that gets a line for each option.
//
// The structures are those of TFLite's C interface (core/c/common.h), as far
// as they are used here; LiteRT does not bring the header along.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  int size;
  int data[];
} IntArray;

typedef struct {
  int type;
  char* data;
  IntArray* dims;
  float scale;
  int32_t zero_point;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  void* delegate;
  int buffer_handle;
  _Bool data_is_stale, is_variable;
  int quantization_type;
  void* quantization_parameters;
  void* sparsity;
  const IntArray* dims_signature;
} Tensor;

typedef struct {
  IntArray *inputs, *outputs, *intermediates, *temporaries;
} Node;

typedef struct Context Context;

typedef struct {
  void* (*init)(Context*, const char*, size_t);
  void (*free)(Context*, void*);
  int (*prepare)(Context*, Node*);
  int (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* (*async_kernel)(Context*, Node*);
  uint64_t inplace_operator;
} Registration;

typedef struct Delegate Delegate;

struct Context {
  size_t tensors_size;
  int (*get_execution_plan)(Context*, IntArray**);
  Tensor* tensors;
  void* impl;
  void* resize_tensor;
  void (*report_error)(Context*, const char*, ...);
  void* add_tensors;
  int (*get_node_and_registration)(Context*, int, Node**, Registration**);
  int (*replace)(Context*, Registration, const IntArray*, Delegate*);
};

struct Delegate {
  void* data;
  int (*prepare)(Context*, Delegate*);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void* builder;
};

static int runs = 0;

static int is_mode(const char* name) {
  const char* mode = getenv("STAND_IN");
  return mode && strncmp(mode, name, strlen(name)) == 0;
}

static int last_run(void) { return atoi(strchr(getenv("STAND_IN"), ':') + 1); }

static int kernel_prepare(Context* context, Node* node) {
  if (is_mode("version")) {
    context->report_error(
        context,
        "Failed precondition: Package requires runtime version (14), which is "
        "newer than this runtime version (13).");
    return 1;
  }
  return 0;
}

static int kernel_invoke(Context* context, Node* node) {
  ++runs;
  if (is_mode("lost") && runs >= last_run()) {
    context->report_error(context, "Deadline exceeded: USB transfer error 1");
    return 1;
  }
  if (is_mode("abort") && runs >= last_run()) {
    fprintf(stderr,
            "F driver/usb/usb_driver.cc:857] transfer on tag 2 failed. "
            "Abort. Unknown: USB transfer error 1\n");
    abort();
  }
  // The kernel's first inputs may be constants; the last one is the image.
  Tensor* source =
      &context->tensors[node->inputs->data[node->inputs->size - 1]];
  Tensor* result = &context->tensors[node->outputs->data[0]];
  for (size_t i = 0; i < result->bytes; ++i)
    result->data[i] = is_mode("wrong") ? ~source->data[i] : source->data[i];
  return 0;
}

static int delegate_prepare(Context* context, Delegate* delegate) {
  IntArray* plan;
  if (is_mode("nothing")) return 0;
  if (context->get_execution_plan(context, &plan)) return 1;
  IntArray* taken = malloc(sizeof(int) * (1 + plan->size));
  taken->size = 0;
  for (int i = 0; i < plan->size; ++i) {
    Node* node;
    Registration* registration;
    context->get_node_and_registration(context, plan->data[i], &node,
                                       &registration);
    if (registration->custom_name &&
        !strcmp(registration->custom_name, "edgetpu-custom-op"))
      taken->data[taken->size++] = plan->data[i];
  }
  Registration kernel = {.prepare = kernel_prepare,
                         .invoke = kernel_invoke,
                         .custom_name = "StandIn",
                         .version = 1};
  int status = context->replace(context, kernel, taken, delegate);
  free(taken);
  return status;
}

Delegate* tflite_plugin_create_delegate(char** keys, char** values, size_t n,
                                        void (*report_error)(const char*)) {
  if (is_mode("crash")) *(volatile int*)0 = 0;
  if (is_mode("no_device")) return NULL;
  if (is_mode("reason")) {
    report_error("the stand-in does not want to");
    return NULL;
  }
  const char* path = getenv("STAND_IN_LOG");
  FILE* log = path ? fopen(path, "a") : NULL;
  if (log) {
    for (size_t i = 0; i < n; ++i) fprintf(log, "%s=%s\n", keys[i], values[i]);
    fclose(log);
  }
  Delegate* delegate = calloc(1, sizeof(Delegate));
  delegate->prepare = delegate_prepare;
  // Dynamic tensors are welcome: else TFLite prepares all operators first,
  // the custom one among them, which nobody else knows.
  delegate->flags = 1;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate* delegate) { free(delegate); }

const char* edgetpu_version(void) {
  return "BuildLabel(STAND_IN), RuntimeVersion(13)";
}
