#!/usr/bin/env python3
"""refusals.py: see the linker refuse what it must, before anything is linked with it.

Links one sound program and several that break one rule each, as little LLVM modules, with the very
`sbf-link` of the build. Fails if the sound one is refused or a broken one is not.
Environment: as for sbf-link, beside which it lies.
"""
import os, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LLVM = os.environ.get('SBF_LLVM', '/usr/lib/llvm-23') + '/bin/'
TARGET = 'target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"\ntarget triple = "bpfel"\n'
LOG = 'declare void @sol_log_64_(i64, i64, i64, i64, i64)\n'

# name: module, words of the refusal ('' where the program is sound)
PROGRAMS = {
    'sound': (LOG + '''
define i64 @entrypoint(ptr %in) {
  call void @sol_log_64_(i64 1, i64 2, i64 3, i64 4, i64 5)
  ret i64 0
}''', ''),
    'a helper that nobody defines': ('''
declare i64 @nowhere(i64)
define i64 @entrypoint(ptr %in) {
  %x = call i64 @nowhere(i64 1)
  ret i64 %x
}''', 'nowhere'),
    'a system call with six arguments': ('''
declare void @sol_log_64_(i64, i64, i64, i64, i64, i64)
define i64 @entrypoint(ptr %in) {
  call void @sol_log_64_(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6)
  ret i64 0
}''', 'more than five argument registers'),
    'a frame of 5000 bytes': ('''
declare void @sol_log_(ptr, i64)
define i64 @entrypoint(ptr %in) {
  %room = alloca [5000 x i8]
  call void @sol_log_(ptr %room, i64 5000)
  ret i64 0
}''', 'stack'),
    'a store above its own frame': ('''
declare void @sol_log_(ptr, i64)
define i64 @entrypoint(ptr %in) {
  %room = alloca i64
  %above = getelementptr i8, ptr %room, i64 16
  store volatile i64 7, ptr %above
  call void @sol_log_(ptr %room, i64 8)
  ret i64 0
}''', 'outside the frame'),
    'a float made 128 bits wide': ('''
define i64 @entrypoint(ptr %in) {
  %f = load double, ptr %in
  %wide = fptoui double %f to i128
  %high = lshr i128 %wide, 64
  %x = trunc i128 %high to i64
  ret i64 %x
}''', '__fixunsdfti'),
}

bad = 0
with tempfile.TemporaryDirectory() as folder:
    for number, (name, (module, words)) in enumerate(PROGRAMS.items()):
        source, code, out = (f'{folder}/{number}.{end}' for end in ('ll', 'bc', 'so'))
        open(source, 'w').write(TARGET + module + '\n')
        subprocess.run([LLVM + 'llvm-as', source, '-o', code], check=True)
        done = subprocess.run([sys.executable, HERE + '/sbf-link', code, '-o', out], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        linked = done.returncode == 0 and os.path.exists(out)
        right = linked if not words else not linked and words in done.stdout
        print(f"{'ok ' if right else 'BAD'} {name}: {'linked' if linked else 'refused'}")
        if not right: print(done.stdout)
        bad += not right
sys.exit(bad > 0)
