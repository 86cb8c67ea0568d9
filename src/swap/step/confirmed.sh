# Writes down that every host was confirmed: from here on the new version stays, also where this run ends.
confirmed
