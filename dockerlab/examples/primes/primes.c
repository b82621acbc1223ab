#include <stdio.h>
#include <stdlib.h>

/* Prints the prime numbers up to the number it is given. */
int main(int argc, char **argv) {
    int limit = argc > 1 ? atoi(argv[1]) : 30;
    for (int number = 2; number <= limit; number++) {
        int divisor = 2;
        while (divisor * divisor <= number && number % divisor)
            divisor++;
        if (divisor * divisor > number)
            printf("%d ", number);
    }
    printf("\n");
    return 0;
}
