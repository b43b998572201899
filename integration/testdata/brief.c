// brief is the shortest program there is: it ends at once.
__attribute__((noreturn)) void _start(void)
{
#if defined(__x86_64__)
	__asm__ volatile("mov $60, %eax; xor %edi, %edi; syscall");
#elif defined(__aarch64__)
	__asm__ volatile("mov x8, #93; mov x0, #0; svc #0");
#else
#error "brief: this architecture's exit is not known here"
#endif
	__builtin_unreachable();
}
