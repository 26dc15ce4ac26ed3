/* A step again and again, so that what is timed is the step and not its caller. */
void repeat(void (*step)(void *), void *memory, long times);

void repeat(void (*step)(void *), void *memory, long times)
{
    for (long i = 0; i < times; i++)
        step(memory);
}
