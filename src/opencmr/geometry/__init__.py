"""Where voxels are: grids, orientation, resampling.  The only door between LPS and RAS."""
