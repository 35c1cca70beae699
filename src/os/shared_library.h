// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>

namespace penstock::os {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PENSTOCK_UNDER_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PENSTOCK_UNDER_SANITIZER 1
#endif

// Flags of dlopen for a library that must not meet another copy of itself: in a Python process one
// may have been loaded globally, which only DEEPBIND keeps apart. Sanitizers abort on that flag.
#ifdef PENSTOCK_UNDER_SANITIZER
inline constexpr int kOpenApart = RTLD_NOW | RTLD_LOCAL;
#else
inline constexpr int kOpenApart = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif

#undef PENSTOCK_UNDER_SANITIZER

}  // namespace penstock::os
