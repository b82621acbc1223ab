#include <math.h>

/* Kilometres between two points on a sphere of the Earth's mean radius (haversine formula); degrees in. */
double distance(double north1, double east1, double north2, double east2) {
    const double degree = 3.14159265358979323846 / 180;
    double half_north = sin((north2 - north1) * degree / 2);
    double half_east = sin((east2 - east1) * degree / 2);
    double square = half_north * half_north
        + cos(north1 * degree) * cos(north2 * degree) * half_east * half_east;
    return 2 * 6371.0088 * asin(sqrt(square));
}
