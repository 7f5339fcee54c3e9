# Sourced: sets what a Python needs to load an extension or a library that was built with
# the sanitizers.  Plain malloc shows what Python's own arenas hide.  Leaks are reported by
# the C tests only: an interpreter leaves memory allocated on purpose when it exits.
SANITIZER_PRELOAD="$(cc -print-file-name=libasan.so) $(cc -print-file-name=libubsan.so)"
export SANITIZER_PRELOAD
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc
export PYTHONPATH="$PWD/tools/sanitizer${PYTHONPATH:+:$PYTHONPATH}"
